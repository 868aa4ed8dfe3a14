//! What people ask, and the class that it is of. A prompt that was told wrongly is added here.

use gw_policy::auto::Class::{self, Code, Extraction, General, Reasoning, Talk};
use gw_policy::auto::classify::class_of;

const PROMPTS: &[(&str, Class)] = &[
    // Talk: greetings and short questions.
    ("Hi!", Talk),
    ("hello, how are you today?", Talk),
    ("What's the capital of Australia?", Talk),
    ("thanks, that helped", Talk),
    ("Who wrote The Tale of Genji?", Talk),
    ("What time zone is Lisbon in?", Talk),
    ("Is Python a snake?", Talk),
    ("yes", Talk),
    ("こんにちは", Talk),
    ("おはようございます。今日の天気は？", Talk),
    ("ありがとう、助かりました！", Talk),
    ("日本で一番高い山は？", Talk),
    ("你好", Talk),
    ("法国的首都是哪里？", Talk),
    ("안녕하세요", Talk),
    ("Guten Morgen! Wie geht's?", Talk),
    ("Bonjour, ça va ?", Talk),
    ("¿Cuál es la capital de Perú?", Talk),
    ("Привет! Как дела?", Talk),
    // Extraction: work on a text that is there.
    ("Translate into French: The meeting is on Monday.", Extraction),
    ("Summarize the following article in three sentences:\nThe council met on Tuesday …", Extraction),
    ("Extract all e-mail addresses from the text below.", Extraction),
    ("Classify this ticket as billing, technical or other: My card was charged twice.", Extraction),
    ("What is the sentiment of this review? \"Never again.\"", Extraction),
    ("tl;dr", Extraction),
    ("List all keywords of the following text.", Extraction),
    ("Please proofread my cover letter.", Extraction),
    ("次の文章を英語に翻訳してください。今日は雨です。", Extraction),
    ("以下の議事録を要約して", Extraction),
    ("この文から人名を抽出してください", Extraction),
    ("問い合わせを三つに分類してください", Extraction),
    ("把这段话翻译成英文", Extraction),
    ("请总结下面的文章", Extraction),
    ("이 글을 한 문장으로 요약해 줘", Extraction),
    ("Fasse den folgenden Text zusammen.", Extraction),
    ("Traduis cette phrase en anglais.", Extraction),
    ("Traduce al inglés: buenos días", Extraction),
    ("Переведи на английский: доброе утро", Extraction),
    // Code.
    ("Write a Python function that reverses a linked list.", Code),
    ("Why does this fail? ```rust\nlet x = &y;\n```", Code),
    ("Refactor this class so that it is testable", Code),
    ("Traceback (most recent call last):\n  File \"a.py\", line 1", Code),
    ("SELECT * FROM users WHERE id = 1 is slow, what index do I need?", Code),
    ("How do I undo a git rebase?", Code),
    ("write a bash script that renames all files", Code),
    ("Implement an LRU cache in C++", Code),
    ("Extract the dates with a regex", Code),
    ("Translate this Python function to JavaScript", Code),
    ("Pythonで素数を列挙する関数を書いて", Code),
    ("このコードのバグを直してください", Code),
    ("TypeScriptの型エラーをデバッグしたい", Code),
    ("用Java写一个函数，判断回文", Code),
    ("这段代码报错了，帮我看看", Code),
    ("파이썬 함수를 작성해 줘", Code),
    ("Schreibe eine Funktion, die eine Liste sortiert", Code),
    ("Écris une fonction qui inverse une chaîne", Code),
    ("Escribe una función que ordene una lista", Code),
    ("Напиши функцию, которая сортирует список", Code),
    // Reasoning.
    ("Prove that the square root of 2 is irrational.", Reasoning),
    ("Solve for x: 3x + 5 = 20", Reasoning),
    ("Find the derivative of sin(x) e^x", Reasoning),
    (r"Evaluate $\int_0^1 x^2 dx$", Reasoning),
    ("Solve this logic puzzle: five houses stand in a row …", Reasoning),
    ("What is the probability of two sixes? Think step by step and calculate it.", Reasoning),
    ("√2が無理数であることを証明してください", Reasoning),
    ("次の方程式を解いてください：x^2 - 5x + 6 = 0", Reasoning),
    ("サイコロを2回振るとき和が7になる確率を求めよ", Reasoning),
    ("证明根号2是无理数", Reasoning),
    ("解方程：2x + 3 = 7", Reasoning),
    ("√2가 무리수임을 증명하세요", Reasoning),
    ("Beweise, dass es unendlich viele Primzahlen gibt.", Reasoning),
    ("Démontrer que la suite converge.", Reasoning),
    ("Demuestra que hay infinitos números primos.", Reasoning),
    ("Докажи, что простых чисел бесконечно много.", Reasoning),
    // Everything else.
    ("Explain how photosynthesis works.", General),
    ("Write a short story about a lighthouse keeper.", General),
    ("Compare the pros and cons of renting and buying a house.", General),
    ("Draft an e-mail to my landlord about the broken heating.", General),
    ("Describe the causes of the First World War in detail", General),
    (
        "I moved to a new town last year and find it hard to make friends. I work from home, do not like bars, and have \
      tried two clubs so far. What else could I do in the evenings?",
        General,
    ),
    ("量子もつれについて説明してください", General),
    ("退職の挨拶メールを書いて", General),
    ("京都の三日間の旅行プランを考えてください", General),
    ("写一首关于秋天的诗", General),
    ("양자역학을 설명해 줘", General),
    ("Erkläre mir den Unterschied zwischen Aktien und Anleihen", General),
    ("Explique la photosynthèse", General),
    ("Escribe una carta de recomendación", General),
    ("Напиши рассказ о море", General),
];

#[test]
fn every_prompt_is_of_its_class() {
    let wrong: Vec<_> = PROMPTS
        .iter()
        .map(|(prompt, class)| (prompt, class_of(prompt), class))
        .filter(|(_, found, class)| found != *class)
        .map(|(prompt, found, class)| format!("{prompt:?} is {found}, not {class}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), PROMPTS.len(), wrong.join("\n"));
}

#[test]
fn case_and_surroundings_do_not_change_the_class() {
    for (prompt, class) in PROMPTS {
        assert_eq!(class_of(&format!("\n  {prompt}  \n")), *class, "{prompt:?}");
        assert_eq!(class_of(&prompt.to_uppercase()), *class, "{prompt:?}");
    }
}
