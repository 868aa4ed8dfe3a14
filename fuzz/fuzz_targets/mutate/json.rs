//! Changes inputs that hold JSON, a document in each line, so that they stay JSON: bytes changed at random seldom do.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

/// Pieces of earlier inputs that are kept for later ones, at most.
const PIECES_MAX: usize = 1024;

thread_local! {
    /// Members and elements (these without a name) that were seen in other inputs.
    static PIECES: RefCell<Vec<(String, Value)>> = const { RefCell::new(Vec::new()) };
}

/// Changes one document of an input, or, every third time, any bytes. Gives the new length.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed) ^ 0x2545_f491_4f6c_dd1d);
    if random.below(3) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    match changed(&data[..size], &mut random).filter(|changed| changed.len() <= max_size) {
        Some(changed) => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

/// The input with another document in one of its lines; `None` if that line has none.
fn changed(input: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let documents: Vec<usize> = (0..lines.len()).filter(|line| lines[*line].contains(&b'{')).collect();
    let place = *documents.get(random.below(documents.len()))?;
    match random.below(16) {
        0 => drop(lines.remove(place)),
        1 => lines.insert(place, lines[place].clone()),
        2 => lines.swap(place, documents[random.below(documents.len())]),
        _ => {
            let start = lines[place].iter().position(|byte| *byte == b'{')?;
            let mut document = serde_json::from_slice(&lines[place][start..]).ok()?;
            for _ in 0..=random.below(3) {
                change(&mut document, random);
            }
            lines[place].truncate(start);
            lines[place].extend(document.to_string().into_bytes());
        }
    }
    Some(lines.join(&b'\n'))
}

/// Goes down to some value of the document and changes it.
fn change(value: &mut Value, random: &mut Random) {
    let deeper = random.below(5) > 0;
    match value {
        Value::Object(members) if deeper && !members.is_empty() => {
            let place = random.below(members.len());
            if let Some((name, member)) = members.iter_mut().nth(place) {
                keep(name, member, random);
                change(member, random);
            }
        }
        Value::Array(elements) if deeper && !elements.is_empty() => {
            let place = random.below(elements.len());
            keep("", &elements[place], random);
            change(&mut elements[place], random);
        }
        Value::Object(members) if random.below(4) > 0 => change_members(members, random),
        Value::Array(elements) if random.below(4) > 0 => change_elements(elements, random),
        _ if random.below(2) == 0 => *value = odd(random),
        _ => *value = piece(random).map_or(Value::Null, |(_, piece)| piece),
    }
}

fn change_members(members: &mut Map<String, Value>, random: &mut Random) {
    let name = members.keys().nth(random.below(members.len())).cloned();
    match (random.below(4), name) {
        (0, Some(name)) => drop(members.remove(&name)),
        (1, Some(name)) => drop(members.insert(name, piece(random).map_or(Value::Null, |(_, piece)| piece))),
        _ => members.extend(piece(random).filter(|(name, _)| !name.is_empty())),
    }
}

fn change_elements(elements: &mut Vec<Value>, random: &mut Random) {
    let (one, other) = (random.below(elements.len()), random.below(elements.len()));
    match random.below(4) {
        0 if !elements.is_empty() => drop(elements.remove(one)),
        1 if !elements.is_empty() => elements.insert(one, elements[other].clone()),
        2 if !elements.is_empty() => elements.swap(one, other),
        _ => elements.extend(piece(random).map(|(_, piece)| piece)),
    }
}

/// Values that readers stumble over.
fn odd(random: &mut Random) -> Value {
    let odd = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(u32::MAX),
        json!(1e20),
        json!(""),
        json!(" "),
        json!("{}"),
        json!("{\"a\":"),
        json!("null"),
        json!("1"),
        json!("\u{feff}"),
        json!("\u{0}"),
        json!("é\u{1F600}"),
        json!("data:image/png;base64,AA=="),
        json!("data:;base64,"),
        json!("gw1.anthropic.s.p.x"),
        json!("*"),
        json!("a".repeat(70)),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!([{}]),
        json!({"": null}),
    ];
    odd[random.below(odd.len())].clone()
}

fn keep(name: &str, value: &Value, random: &mut Random) {
    PIECES.with_borrow_mut(|pieces| {
        let piece = (name.to_owned(), value.clone());
        let place = random.below(PIECES_MAX);
        match pieces.get_mut(place) {
            Some(old) => *old = piece,
            None => pieces.push(piece),
        }
    });
}

fn piece(random: &mut Random) -> Option<(String, Value)> {
    PIECES.with_borrow(|pieces| pieces.get(random.below(pieces.len())).cloned())
}

/// Numbers that only need to be many.
struct Random(u64);

impl Random {
    /// Less than `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}
