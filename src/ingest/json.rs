//! A scanner for one JSON object on one line: validates the whole line, hands out the
//! top-level keys and values without copying, and says at which byte a fault lies.
//! It accepts what Python's `json.loads` accepts: `NaN`, `Infinity` and lone surrogates too.
//! It never allocates for a line without escapes.

use std::borrow::Cow;

use super::decimal::POWERS_OF_TEN;

/// Deepest nesting of an unknown field.
const MAX_DEPTH: u32 = 128;

/// A fault: the byte offset in the line, and what was expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub offset: usize,
    pub expected: &'static str,
}

/// A value at the top level of the object.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    /// Two variants, not one with a bool: a byte beside the tag makes every move of a value stall on
    /// a store that a wider load overlaps (half of the parser's time, by perf).
    True,
    False,
    /// The text of a number, and its nearest f64 (infinite when it overflows).
    Number(&'a str, f64),
    /// `NaN`, `Infinity` or `-Infinity`, as Python prints them.
    NotFinite(&'a str),
    String(Cow<'a, str>),
    Array,
    Object,
}

/// Scans one line. See the module.
pub struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

type Scan<T> = Result<T, Fault>;

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// The byte offset of the next unread byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Moves over white space and returns the next byte without taking it.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn fault<T>(&self, expected: &'static str) -> Scan<T> {
        Err(Fault { offset: self.at, expected })
    }

    /// Takes `byte` or faults.
    #[inline]
    pub fn take(&mut self, byte: u8, expected: &'static str) -> Scan<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.fault(expected)
        }
    }

    /// Moves to the opening quote of the next key of the object; `false` at the closing brace,
    /// which is taken.
    #[inline]
    pub fn at_key(&mut self, first: bool) -> Scan<bool> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !first => {
                self.at += 1;
                if self.peek() != Some(b'"') {
                    return self.fault("a key in double quotes");
                }
            }
            Some(b'"') if first => {}
            Some(_) if first => return self.fault("a key in double quotes or }"),
            _ => return self.fault(", or }"),
        }
        Ok(true)
    }

    /// Takes the key if it is written exactly so, quotes included: a guess that costs one
    /// comparison where the general way reads every byte.
    #[inline]
    pub fn take_guessed_key(&mut self, quoted: &str) -> bool {
        let right = self.bytes[self.at..].starts_with(quoted.as_bytes());
        if right {
            self.at += quoted.len();
        }
        right
    }

    /// Takes the key whose opening quote is next.
    #[inline]
    pub fn key(&mut self) -> Scan<Cow<'a, str>> {
        self.string()
    }

    /// Faults unless only white space is left.
    pub fn end(&mut self) -> Scan<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fault("the end of the line after the object"),
        }
    }

    /// The next value; arrays and objects are validated and skipped.
    #[inline]
    pub fn value(&mut self) -> Scan<Value<'a>> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.skip_nested().map(|()| Value::Object),
            Some(b'[') => self.skip_nested().map(|()| Value::Array),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true").map(|_| Value::True),
            Some(b'f') => self.word("false").map(|_| Value::False),
            Some(b'n') => self.word("null").map(|_| Value::Null),
            Some(b'N') => self.word("NaN").map(Value::NotFinite),
            Some(b'I') => self.word("Infinity").map(Value::NotFinite),
            _ => self.fault("a value"),
        }
    }

    fn word(&mut self, word: &'static str) -> Scan<&'a str> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            let start = self.at;
            self.at += word.len();
            Ok(&self.text[start..self.at])
        } else {
            self.fault(word)
        }
    }

    fn number(&mut self) -> Scan<Value<'a>> {
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        self.at += usize::from(negative);
        if negative && self.bytes.get(self.at) == Some(&b'I') {
            self.word("Infinity")?;
            return Ok(Value::NotFinite(&self.text[start..self.at]));
        }
        let mut mantissa = 0;
        let whole_start = self.at;
        let mut digits = take_digits(self.bytes, &mut self.at, &mut mantissa);
        if digits == 0 {
            return self.fault("a digit");
        }
        if digits > 1 && self.bytes[whole_start] == b'0' {
            self.at = whole_start;
            return self.fault("a number without leading zeros");
        }
        let mut decimals = 0;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            decimals = take_digits(self.bytes, &mut self.at, &mut mantissa);
            digits += decimals;
            if decimals == 0 {
                return self.fault("a digit after the decimal point");
            }
        }
        let mut exponent = false;
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            exponent = true;
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if take_digits(self.bytes, &mut self.at, &mut 0) == 0 {
                return self.fault("a digit in the exponent");
            }
        }
        let text = &self.text[start..self.at];
        Ok(Value::Number(text, decimal_to_f64(text, negative, mantissa, digits, decimals, exponent)))
    }

    /// A string, its opening quote at `at`.
    #[inline]
    fn string(&mut self) -> Scan<Cow<'a, str>> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.string_with_escapes(start).map(Cow::Owned),
                Some(byte) if *byte >= 0x20 => self.at += 1,
                Some(_) => return self.fault("no control character in a string"),
                None => return self.fault("the closing quote of a string (line cut in mid-write?)"),
            }
        }
    }

    fn string_with_escapes(&mut self, start: usize) -> Scan<String> {
        let mut text = self.text[start..self.at].to_owned();
        loop {
            let plain = self.at;
            while matches!(self.bytes.get(self.at), Some(byte) if *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
                self.at += 1;
            }
            text.push_str(&self.text[plain..self.at]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fault("no control character in a string"),
                None => return self.fault("the closing quote of a string (line cut in mid-write?)"),
            }
        }
    }

    fn escape(&mut self) -> Scan<char> {
        self.at += 1;
        let Some(&byte) = self.bytes.get(self.at) else {
            return self.fault("an escape (line cut in mid-write?)");
        };
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return self.fault("one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u"),
        };
        self.at += 1;
        Ok(plain)
    }

    /// `\uXXXX`, with the second half of a surrogate pair. A lone surrogate becomes U+FFFD.
    fn unicode_escape(&mut self) -> Scan<char> {
        self.at += 1;
        let first = self.four_hex_digits()?;
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.four_hex_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_hex_digits(&mut self) -> Scan<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.bytes.get(self.at).and_then(|byte| (*byte as char).to_digit(16)) else {
                return self.fault("four hexadecimal digits after \\u");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Validates and skips an array or object. Which of the two is open at each depth is
    /// a bit of `objects`, so that a hostile line needs no stack.
    fn skip_nested(&mut self) -> Scan<()> {
        let mut objects: u128 = 0;
        let mut depth = 0;
        loop {
            // A value begins here.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return self.fault("nesting of at most 128 levels");
                    }
                    self.at += 1;
                    let object = open == b'{';
                    objects = (objects << 1) | u128::from(object);
                    depth += 1;
                    let close = if object { b'}' } else { b']' };
                    if self.peek() == Some(close) {
                        self.at += 1;
                        objects >>= 1;
                        depth -= 1;
                    } else {
                        if object {
                            self.nested_key()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.value()?;
                }
            }
            // A value ended here: close what ends with it, or go on to the next value.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if object {
                            self.nested_key()?;
                        }
                        break;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return self.fault(if object { ", or }" } else { ", or ]" }),
                }
                self.at += 1;
                objects >>= 1;
                depth -= 1;
            }
        }
    }

    fn nested_key(&mut self) -> Scan<()> {
        if self.peek() != Some(b'"') {
            return self.fault("a key in double quotes");
        }
        self.string()?;
        self.take(b':', ":")
    }
}

/// What a text says, given with its quotes, whose end and escapes were checked.
pub(super) fn unquoted(quoted: &str) -> Cow<'_, str> {
    Scanner::new(quoted).key().unwrap_or(Cow::Borrowed(quoted))
}

/// Moves `at` over digits and appends them to `mantissa`, which wraps around; how many there were.
#[inline(always)]
fn take_digits(bytes: &[u8], at: &mut usize, mantissa: &mut u64) -> usize {
    let start = *at;
    while let Some(digit) = bytes.get(*at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        *at += 1;
    }
    *at - start
}

/// The f64 nearest to a decimal. Up to 2^53 and 10^22 both parts are exact and one division
/// rounds once (Clinger 1990); the rest is left to the standard library, which agrees.
#[inline]
fn decimal_to_f64(text: &str, negative: bool, mantissa: u64, digits: usize, decimals: usize, exponent: bool) -> f64 {
    if !exponent && digits <= 19 && mantissa <= 1 << 53 && decimals < POWERS_OF_TEN.len() {
        let value = mantissa as f64 / POWERS_OF_TEN[decimals];
        return if negative { -value } else { value };
    }
    text.parse().unwrap_or(f64::INFINITY)
}

/// The object of a line that is a row of a list: dumps write `[` alone or before the first row, a comma behind each, and
/// `]` behind the last. Other lines stay as they are.
pub fn row_of_list(line: &str) -> &str {
    let text = line.trim_ascii();
    let (opened, row) = text.strip_prefix('[').map_or((false, text), |row| (true, row.trim_ascii_start()));
    let row = match row.strip_suffix(',') {
        Some(row) => row,
        None if !opened => row.strip_suffix(']').unwrap_or(line),
        None => line,
    };
    let row = row.trim_ascii_end();
    if row.starts_with('{') && row.ends_with('}') { row } else { line }
}

/// Where a part of a text begins in it.
pub fn offset_in(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Whether a line is blank, or nothing but the beginning or the end of a list.
pub fn is_without_row(line: &[u8]) -> bool {
    matches!(line.trim_ascii(), b"" | b"[" | b"]" | b"],")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Vec<(String, Value<'_>)>, Fault> {
        let mut scanner = Scanner::new(text);
        scanner.take(b'{', "{")?;
        let mut fields = Vec::new();
        while scanner.at_key(fields.is_empty())? {
            let key = scanner.key()?.into_owned();
            scanner.take(b':', ":")?;
            fields.push((key, scanner.value()?));
        }
        scanner.end()?;
        Ok(fields)
    }

    #[test]
    fn python_values_are_accepted() {
        let fields = read(
            r#"{"a": NaN, "b": -Infinity, "c": "\ud800", "d": [1, {"x": Infinity}], "a\u0062": "\ud83d\ude00\n"}"#,
        )
        .unwrap();
        assert_eq!(fields[0].1, Value::NotFinite("NaN"));
        assert_eq!(fields[1].1, Value::NotFinite("-Infinity"));
        assert_eq!(fields[2].1, Value::String("\u{fffd}".into()));
        assert_eq!(fields[3].1, Value::Array);
        assert_eq!(fields[4], ("ab".to_owned(), Value::String("😀\n".into())));
    }

    #[track_caller]
    fn check_fault(text: &str, offset: usize, expected: &str) {
        let fault = read(text).expect_err("must be refused");
        assert_eq!((fault.offset, fault.expected), (offset, expected), "{text}");
    }

    #[test]
    fn faults_say_where_and_what() {
        check_fault(r#"{"a": 1"#, 7, ", or }");
        check_fault(r#"{"a": "x"#, 8, "the closing quote of a string (line cut in mid-write?)");
        check_fault(r#"{"a": 01}"#, 6, "a number without leading zeros");
        check_fault(r#"{"a": 1.}"#, 8, "a digit after the decimal point");
        check_fault(r#"{"a" 1}"#, 5, ":");
        check_fault(r#"{"a": 1,}"#, 8, "a key in double quotes");
        check_fault(r#"{"a": 1} x"#, 9, "the end of the line after the object");
        check_fault(r#"{"a": [1, 2}"#, 11, ", or ]");
        check_fault("{\"a\": \"\t\"}", 7, "no control character in a string");
        check_fault(&format!("{{\"a\": {}", "[".repeat(129)), 6 + 128, "nesting of at most 128 levels");
    }

    /// Raw bytes: what is read is what serde_json reads, and what it refuses is refused, but for what Python alone
    /// writes (NaN, Infinity, lone surrogates), numbers beyond 64 bits, and nesting deeper than either goes.
    #[test]
    fn damaged_lines_are_read_as_serde_json_reads_them() {
        let sound =
            r#"{"a": -12.5e3, "b\u00e9": "x\n\"y\"", "c": [1, {"d": null}, "é"], "e": true, "f": 0.1, "g": {}}"#;
        crate::damage::for_each_damage(sound.as_bytes(), |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
            let python = ["NaN", "Infinity", "\\u"].iter().any(|word| text.contains(word));
            let too_large = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            if python || too_large {
                return;
            }
            let ours = read(text);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?} / {theirs:?}");
            // Of a key that stands twice both keep one; which one is told elsewhere.
            let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return };
            for (key, value) in ours {
                match (value, &theirs[&key]) {
                    (Value::Number(_, number), serde_json::Value::Number(other)) => {
                        assert_eq!(Some(number), other.as_f64(), "{text}");
                    }
                    (Value::String(string), serde_json::Value::String(other)) => assert_eq!(string, *other),
                    (Value::True, other) => assert_eq!(*other, true),
                    (Value::False, other) => assert_eq!(*other, false),
                    (Value::Null, other) => assert!(other.is_null()),
                    (Value::Array, other) => assert!(other.is_array()),
                    (Value::Object, other) => assert!(other.is_object()),
                    (value, other) => panic!("{value:?} where serde_json has {other}"),
                }
            }
        });
    }

    #[test]
    fn deep_but_legal_nesting_is_skipped() {
        let text = format!("{{\"a\": {}{}, \"b\": true}}", "[".repeat(128), "]".repeat(128));
        assert_eq!(read(&text).unwrap()[1].1, Value::True);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(".{0,6}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What serde_json writes is read back: same keys, same numbers to the last bit.
        #[test]
        fn agrees_with_serde_json(fields in prop::collection::btree_map(".{0,8}", json(), 0..6)) {
            let text = serde_json::Value::Object(fields.clone().into_iter().collect()).to_string();
            let read = read(&text).unwrap();
            prop_assert_eq!(read.len(), fields.len());
            for ((key, value), (want_key, want)) in read.iter().zip(&fields) {
                prop_assert_eq!(key, want_key);
                match (value, want) {
                    (Value::Number(_, got), want) => prop_assert_eq!(Some(*got), want.as_f64()),
                    (Value::String(got), want) => prop_assert_eq!(Some(got.as_ref()), want.as_str()),
                    (Value::True, want) => prop_assert_eq!(Some(true), want.as_bool()),
                    (Value::False, want) => prop_assert_eq!(Some(false), want.as_bool()),
                    (Value::Null, want) => prop_assert!(want.is_null()),
                    (Value::Array, want) => prop_assert!(want.is_array()),
                    (Value::Object, want) => prop_assert!(want.is_object()),
                    (Value::NotFinite(_), _) => prop_assert!(false),
                }
            }
        }

        /// One changed byte: accepted by both or refused by both, but for what Python alone
        /// accepts (NaN, Infinity, lone surrogates) and numbers that overflow.
        #[test]
        fn refuses_what_serde_json_refuses(
            fields in prop::collection::btree_map(".{0,8}", json(), 0..4), at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f,
        ) {
            let mut bytes = serde_json::Value::Object(fields.into_iter().collect()).to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
                let ours = read(text);
                let lenient = text.contains("\\u") || theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
                if !lenient {
                    prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}: {:?} / {:?}", text, ours, theirs);
                }
            }
        }

        #[test]
        fn decimals_round_like_the_standard_library(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?(e-?[0-9]{1,2})?") {
            let line = format!("{{\"a\":{text}}}");
            let Value::Number(_, got) = read(&line).unwrap()[0].1 else { panic!("not a number") };
            prop_assert_eq!(got, text.parse::<f64>().unwrap());
        }
    }

    #[test]
    fn rows_of_a_list_are_objects_between_commas() {
        let object = "{\"a\": [1, {}]}";
        for line in ["{o},", " {o} , ", "[{o},", "[ {o},", "{o}]", "{o} ]", "{o}"] {
            assert_eq!(row_of_list(&line.replace("{o}", object)).trim(), object, "{line}");
        }
        for line in ["[{o}]", "[{o}", "{o},,", "[1,", "2]", "[", ",", ""] {
            let line = line.replace("{o}", object);
            assert_eq!(row_of_list(&line), line);
        }
    }
}
