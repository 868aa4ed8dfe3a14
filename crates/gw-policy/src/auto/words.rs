//! The signs by which a text is told: words, phrases and notation, in the languages that are asked most. One line is one
//! sign, in small letters; a star at its end stands for any ending.
//!
//! A decisive sign is enough by itself, of hints there must be two. What costs more is asked to show more: a word that is
//! also said in passing ("proof", "function", "calculate") is a hint.

/// What a sign speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Mathematics, logic, plans of many steps.
    Reasoning,
    /// Programs.
    Code,
    /// Work on a text that is given.
    Extraction,
    /// A text to be written, or more than a few words of explanation.
    Writing,
}

impl Kind {
    /// How many there are.
    pub(super) const COUNT: usize = 4;
}

/// A text that speaks for a kind of work.
#[derive(Debug)]
pub(super) struct Sign {
    pub(super) kind: Kind,
    pub(super) text: &'static str,
    /// Whether letters may follow.
    open: bool,
}

impl Sign {
    /// The sign of a line.
    pub(super) fn read(kind: Kind, line: &'static str) -> Self {
        match line.strip_suffix('*') {
            Some(text) if !text.is_empty() => Self { kind, text, open: true },
            Some(_) | None => Self { kind, text: line, open: false },
        }
    }

    /// Whether it is no part of a longer word, where it was found. Scripts without spaces have no such thing.
    pub(super) fn stands_alone(&self, text: &str, start: usize, end: usize) -> bool {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(end..).and_then(|after| after.chars().next());
        let joins = |edge: Option<char>, neighbour: Option<char>| {
            edge.is_some_and(is_of_words) && neighbour.is_some_and(is_of_words)
        };
        !joins(self.text.chars().next(), before) && (self.open || !joins(self.text.chars().next_back(), after))
    }
}

/// Whether words of its script stand between spaces: Latin, Greek, Cyrillic, and digits.
fn is_of_words(letter: char) -> bool {
    letter == '_' || letter.is_ascii_digit() || (letter.is_alphabetic() && letter < '\u{0530}')
}

/// One of them is enough.
pub(super) const DECISIVE: &[(Kind, &str)] =
    &[(Kind::Reasoning, REASONING), (Kind::Code, CODE), (Kind::Extraction, EXTRACTION), (Kind::Writing, WRITING)];

/// Two of them are.
pub(super) const HINTS: &[(Kind, &str)] =
    &[(Kind::Reasoning, REASONING_HINTS), (Kind::Code, CODE_HINTS), (Kind::Extraction, EXTRACTION_HINTS)];

const REASONING: &str = r"
    prove that
    prove the
    proof by
    by induction
    by contradiction
    solve for
    solve the equation
    solve the system of
    system of equations
    differential equation*
    find the integral
    find the derivative
    derive the
    eigenvalue*
    time complexity of the
    logic puzzle
    game theory
    \frac*
    \int*
    \sum*
    \lim*
    \mathbb*
    ∫
    ∑
    ∀
    ∃
    証明して
    証明せよ
    証明しなさい
    方程式を解
    微分方程式
    積分を求
    微分を求
    積分せよ
    確率を求
    最大値を求
    固有値
    数学的帰納法
    論理パズル
    解方程
    求解
    证明
    證明
    求导
    求积分
    微分方程
    数学归纳法
    증명하
    증명해
    방정식을 풀
    방정식을 푸
    적분을 구
    미분방정식
    beweise, dass
    beweisen sie
    löse die gleichung
    löse das gleichungssystem
    vollständiger induktion
    démontre*
    prouve que
    prouver que
    résous l'équation
    résoudre l'équation
    par récurrence
    demuestra que
    demostrar que
    resuelve la ecuación
    resuelve el sistema
    prove que a
    demonstre que
    resolva a equação
    dimostra che
    risolvi l'equazione
    докажи*
    реши уравнение
    решите уравнение
    по индукции
";

const REASONING_HINTS: &str = r"
    proof
    prove
    theorem
    lemma
    solve
    equation*
    integral
    derivative
    matrix
    probability
    combinatoric*
    optimal strategy
    optimize
    step by step
    think carefully
    reason through
    puzzle
    riddle
    calculate
    compute
    modulo
    prime number*
    irrational
    how many ways
    trade-off*
    x^2
    n^2
    √
    ≤
    ≥
    ≡
    証明
    定理
    方程式
    計算して
    計算し
    確率
    微分
    積分
    素数
    段階的に
    順を追って
    ステップごとに
    何通り
    推論
    计算
    概率
    方程
    定理证
    积分
    导数
    素数有
    一步一步
    逐步
    推理
    계산
    확률
    방정식
    적분
    단계별로
    beweis
    gleichung*
    wahrscheinlichkeit
    berechne
    schritt für schritt
    ableitung
    preuve
    équation*
    probabilité
    calcule
    étape par étape
    dérivée
    ecuación
    probabilidad
    calcula
    paso a paso
    derivada
    equação
    probabilidade
    passo a passo
    probabilità
    calcola
    passo dopo passo
    теорем*
    уравнени*
    вероятност*
    вычисли*
    шаг за шагом
    интеграл*
";

const CODE: &str = r"
    ```
    #include <
    import numpy
    import react
    def __init__
    def main
    fn main
    func main
    public static void
    console.log(
    system.out.print
    select * from
    insert into
    create table
    left join
    traceback (most recent call last)
    nullpointerexception
    segmentation fault
    stack trace
    stacktrace
    syntaxerror
    typeerror
    compiler error
    compile error
    borrow checker
    unit test*
    code review
    pull request
    git rebase
    git merge
    npm install
    pip install
    cargo build
    docker compose
    dockerfile
    kubernetes manifest
    regular expression*
    regex
    refactor*
    debug this
    debug my
    fix this bug
    fix the bug
    write a script
    write a program
    shell script
    bash script
    sql query
    rest api
    graphql
    </div>
    デバッグ
    リファクタリング
    単体テスト
    ユニットテスト
    正規表現
    コードを書
    プログラムを書
    プログラムを作
    スクリプトを書
    スクリプトを作
    関数を書
    関数を作
    コンパイルエラー
    实现一个函数
    写一个函数
    写一段代码
    写代码
    写一个脚本
    写个脚本
    正则表达式
    单元测试
    重构
    调试
    코드를 작성
    코드 작성
    함수를 작성
    스크립트를 작성
    정규식
    리팩토링
    디버깅
    schreibe eine funktion
    schreib eine funktion
    schreibe ein programm
    schreibe ein skript
    regulären ausdruck
    écris une fonction
    écrire une fonction
    écris un script
    expression régulière
    escribe una función
    escribe un programa
    escribe un script
    expresión regular
    escreva uma função
    escreva um script
    expressão regular
    scrivi una funzione
    espressione regolare
    напиши функцию
    напишите функцию
    напиши скрипт
    регулярное выражение
    напиши код
";

const CODE_HINTS: &str = r"
    python
    javascript
    typescript
    java
    kotlin
    golang
    rust
    c++
    c#
    php
    ruby
    sql
    html
    css
    react
    node.js
    django
    postgres*
    mysql
    redis
    kubernetes
    terraform
    webpack
    pandas
    function
    class
    method
    variable
    algorithm
    script
    code
    compile*
    bug
    exception
    error message
    repository
    commit
    endpoint
    async
    await
    recursion
    recursive
    implement*
    query
    .py
    .js
    .ts
    .rs
    .java
    .cpp
    ();
    () {
    => {
    ) {
    コード
    関数
    プログラム
    アルゴリズム
    スクリプト
    バグ
    エラー
    実装
    クエリ
    代码
    函数
    程序
    算法
    脚本
    报错
    实现
    代碼
    코드
    함수
    프로그램
    알고리즘
    오류
    구현
    funktion
    programm
    skript
    fehlermeldung
    fonction
    programme
    algorithme
    función
    programa
    algoritmo
    função
    funzione
    код
    функци*
    программ*
    алгоритм*
    ошибк*
";

const EXTRACTION: &str = r"
    translate
    translation of
    summarize
    summarise
    summary of
    tl;dr
    extract
    classify
    categorize
    categorise
    sentiment
    proofread
    paraphrase
    rephrase
    fix the grammar
    correct the grammar
    convert this to
    convert to json
    convert the following
    into bullet points
    key points of
    翻訳
    要約
    和訳
    英訳
    抽出
    分類
    校正
    言い換え
    箇条書きに
    翻译
    翻譯
    总结
    總結
    摘要
    提取
    分类
    润色
    校对
    번역
    요약
    추출
    분류
    교정
    übersetze
    übersetzen sie
    fasse zusammen
    fasse den
    fasse das
    fasse die
    extrahiere
    klassifiziere
    traduis
    traduire
    traduisez
    résume
    résumer
    résumez
    extrais
    extraire
    traduce
    traducir
    resume el
    resume este
    resumir
    extrae
    extraer
    clasifica
    traduza
    resuma
    extraia
    classifique
    traduci
    riassumi
    estrai
    переведи*
    кратко изложи*
    перескажи
    извлеки*
    классифицируй*
";

const EXTRACTION_HINTS: &str = r"
    json
    csv
    yaml
    table
    from the text
    from this text
    the following text
    the following email
    keywords
    list all
    shorten
    rewrite
    tags
    label
    以下の文章
    次の文章
    以下の文
    表にして
    キーワード
    以下文本
    下面的文字
    关键词
    다음 글
    다음 문장
    키워드
    folgenden text
    stichpunkte
    texte suivant
    mots-clés
    siguiente texto
    palabras clave
    texto a seguir
    testo seguente
    следующий текст
    ключевые слова
";

/// Of these there are no hints: what is longer than talk is a text to be written anyway.
const WRITING: &str = r"
    write a
    write an
    write me
    draft
    essay
    blog post
    explain
    describe
    compare
    discuss
    brainstorm
    outline
    analyze
    analyse
    evaluate
    design a
    plan a
    pros and cons
    in detail
    story
    poem
    書いて
    説明して
    比較して
    考えて
    作文
    詳しく
    提案して
    分析して
    物語
    写一篇
    写一首
    解释
    解釋
    比较
    分析
    介绍一下
    详细
    써줘
    작성해
    설명해
    비교해
    분석해
    schreibe einen
    schreib einen
    schreibe eine
    schreibe ein
    erkläre
    erklären sie
    vergleiche
    analysiere
    écris
    écrivez
    explique
    expliquez
    compare les
    escribe
    explica
    compara
    escreva
    scrivi
    spiega
    напиши
    напишите
    объясни*
    сравни*
";
