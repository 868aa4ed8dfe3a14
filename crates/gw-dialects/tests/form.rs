//! Forms and frames in any pieces.

#[path = "checks/form.rs"]
mod form;
#[path = "checks/frames.rs"]
mod frames;

use proptest::prelude::*;

/// What forms are made of, whole and broken.
const TOKENS: [&str; 20] = [
    "--b0",
    "--b0\r\n",
    "\r\n--b0\r\n",
    "\r\n--b0--",
    "\r\n",
    "\n",
    "\r",
    "--",
    "b0",
    " ",
    "\t",
    "x",
    "content-disposition: form-data; name=\"model\"\r\n",
    "Content-Disposition: form-data; name=file; filename=\"a\"\r\n",
    "content-type: audio/mpeg\r\n",
    "\r\n\r\n",
    "whisper-1",
    "\u{0}",
    "\u{e9}",
    "name*=",
];

fn part(name: &str, more: &str, value: &str) -> String {
    format!("--b0\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
}

proptest! {
    #[test]
    fn any_pieces_of_forms_are_read_the_same_however_they_arrive(
        tokens in prop::collection::vec(prop::sample::select(&TOKENS), 0..40)
    ) {
        form::check(tokens.concat().as_bytes());
    }

    #[test]
    fn the_model_is_found_wherever_it_stands_and_whatever_the_files_hold(
        before in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..3),
        behind in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..3),
    ) {
        let file = |content: &Vec<u8>| {
            let head = part("file", "; filename=\"a.mp3\"", "");
            [head.trim_end_matches("\r\n").as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat()
        };
        let mut whole: Vec<u8> = before.iter().flat_map(file).collect();
        whole.extend_from_slice(part("model", "", "whisper-1").as_bytes());
        whole.extend(behind.iter().flat_map(file));
        whole.extend_from_slice(b"--b0--\r\n");
        form::check(&whole);
        let looks_like_a_boundary = before.iter().chain(&behind).any(|content| content.windows(4).any(|part| part == b"--b0"));
        if !looks_like_a_boundary {
            prop_assert_eq!(&*form::read([&*whole]).unwrap().unwrap().name, "whisper-1");
        }
    }

    #[test]
    fn frames_are_read_the_same_however_they_arrive(
        frames in prop::collection::vec((prop::sample::select(&[0x81u8, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0xff]), any::<bool>(), 0_u8..127), 0..8)
    ) {
        let mut bytes = Vec::new();
        for (first, masked, length) in frames {
            bytes.extend([first, length | if masked { 0x80 } else { 0 }]);
            if masked {
                bytes.extend([1, 2, 3, 4]);
            }
            bytes.extend(std::iter::repeat_n(b'x', usize::from(length)));
        }
        frames::check(&bytes);
    }
}
