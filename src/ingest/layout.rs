//! The layouts of a JSON log, learned from the log itself. A line is literal bytes (separators, keys, brackets) and
//! values in turn, and behind a value of a path only few literals were ever seen, each of which leads to the next value:
//! an automaton with a state for each path of keys and an edge for each literal. Optional fields, several kinds of lines
//! and keys in any order are a few edges more, and no layouts of their own.
//!
//! It is grown from lines that the general parser has accepted, and every way through it spells a valid line: a path is
//! the stack of open objects, so that a literal leads from one stack to another and was valid from there. What it does
//! not know, and whatever the general parser would treat specially (the same wanted key twice, a list or an object where
//! one value is wanted, a cut line, a value at the very end of a block), is left to the general parser, which gives the
//! same result for what is read here.

mod scan;
mod walk;

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::decimal::{self, Decimal};
use super::json;

/// Most values that are wanted of a line.
pub const MAX_SLOTS: usize = 32;
/// Most paths that are told apart.
const MAX_STATES: usize = 512;
/// Most literals behind one value.
const MAX_EDGES: usize = 24;
/// Most lines that are learned: a log of another layout in every line is left to the general parser.
const MAX_LEARNED: u64 = 1000;
/// Lines read for one more that may be learned.
const READ_FOR_ONE: u64 = 256;
/// Bytes of a literal that are compared at once.
const HEAD: usize = 32;
/// Where a line has ended.
const END: usize = usize::MAX;

/// What is wanted of a line, by the keys that lead to it.
#[derive(Debug)]
pub struct Wanted(FxHashMap<Vec<String>, Node>);

/// A key that leads to something that is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    role: Role,
    /// Its bit among the keys that may stand once in a line.
    bit: u64,
}

/// What a value is to be read for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Skip,
    /// A wanted object would stand here: what else stands here holds nothing.
    Container,
    Slot(usize),
}

impl Wanted {
    /// Of paths of keys, each with its slot, which is its position. `None` where there are too many, or one is a part of
    /// another. As in [`super::node::Node::find`] the keys of a path may stand in one name, with dots.
    pub fn new<'k>(paths: impl Iterator<Item = Vec<&'k str>>) -> Option<Self> {
        let mut nodes: FxHashMap<Vec<String>, Node> = FxHashMap::default();
        let mut containers = MAX_SLOTS;
        for (slot, keys) in paths.enumerate() {
            if slot == MAX_SLOTS {
                return None;
            }
            for outer in 0..keys.len() {
                let container: Vec<String> = keys[..outer].iter().map(|key| (*key).to_owned()).collect();
                let leaf = [&container[..], &[keys[outer..].join(".")]].concat();
                if nodes.insert(leaf, Node { role: Role::Slot(slot), bit: 1 << slot }).is_some() {
                    return None;
                }
                if outer > 0 && !matches!(nodes.get(&container), Some(Node { role: Role::Container, .. })) {
                    if containers == u64::BITS as usize
                        || nodes.insert(container, Node { role: Role::Container, bit: 1 << containers }).is_some()
                    {
                        return None;
                    }
                    containers += 1;
                }
            }
        }
        Some(Self(nodes))
    }

    fn role(&self, path: &[String]) -> Role {
        self.0.get(path).map_or(Role::Skip, |node| node.role)
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, Default)]
enum Kind {
    #[default]
    Null,
    True,
    False,
    Number,
    Text,
    /// A text with escapes.
    Escaped,
}

/// A value of a line.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
    kind: Kind,
    decimal: Decimal,
}

/// The values of one line; the room for them is used again.
#[derive(Debug, Default)]
pub struct Slots {
    /// A bit for each key that stood in the line, of those that lead to something wanted.
    seen: u64,
    spans: [Span; MAX_SLOTS],
}

/// A line that was read.
#[derive(Debug, Clone, Copy)]
pub struct Flat<'t, 's> {
    /// The line, and maybe what follows it.
    text: &'t str,
    slots: &'s Slots,
}

/// A value that was wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    Null,
    True,
    False,
    /// As it is written, and its digits.
    Number(&'a str, Decimal),
    Text(Cow<'a, str>),
}

impl Slots {
    /// Forgets the line before.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.seen = 0;
    }

    /// A text without escapes, from its first byte to that behind its last.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a line has at most 16 MB")]
    pub fn text(&mut self, slot: usize, start: usize, end: usize) {
        let decimal = Decimal::default();
        self.spans[slot] = Span { start: start as u32, end: end as u32, kind: Kind::Text, decimal };
        self.seen |= 1 << slot;
    }
}

impl<'t, 's> Flat<'t, 's> {
    /// A line whose slots were filled by hand.
    pub fn new(text: &'t str, slots: &'s Slots) -> Self {
        Self { text, slots }
    }

    /// The value of a slot, where the line has one.
    #[inline(always)]
    pub fn get(self, slot: usize) -> Option<Found<'t>> {
        if self.slots.seen >> slot & 1 == 0 {
            return None;
        }
        let span = &self.slots.spans[slot];
        let text = &self.text[span.start as usize..span.end as usize];
        Some(match span.kind {
            Kind::Null => Found::Null,
            Kind::True => Found::True,
            Kind::False => Found::False,
            Kind::Number => Found::Number(text, span.decimal),
            Kind::Text => Found::Text(Cow::Borrowed(text)),
            Kind::Escaped => Found::Text(json::unquoted(&self.text[span.start as usize - 1..=span.end as usize])),
        })
    }

    /// Where the value of a slot begins, with its quote.
    #[inline(always)]
    pub fn offset(self, slot: usize) -> usize {
        let span = &self.slots.spans[slot];
        span.start as usize - usize::from(matches!(span.kind, Kind::Text | Kind::Escaped))
    }
}

/// A literal, and where it leads.
#[derive(Debug)]
struct Edge {
    head: [u64; HEAD / 8],
    /// Ones for each byte of `head` that is one of the literal's.
    mask: [u64; HEAD / 8],
    length: usize,
    next: usize,
    /// The bits of its keys.
    keys: u64,
    /// What follows the head.
    rest: Box<[u8]>,
}

impl Edge {
    fn new(literal: &[u8], next: usize, keys: u64) -> Self {
        let short = literal.len().min(HEAD);
        let (mut head, mut mask) = ([0; HEAD], [0; HEAD]);
        head[..short].copy_from_slice(&literal[..short]);
        mask[..short].fill(255);
        Self {
            head: words(&head),
            mask: words(&mask),
            length: literal.len(),
            next,
            keys,
            rest: literal[short..].into(),
        }
    }

    #[inline(always)]
    fn begins(&self, text: &[u8], window: &[u64; HEAD / 8]) -> bool {
        let differs = |at: usize| (window[at] ^ self.head[at]) & self.mask[at];
        differs(0) | differs(1) | differs(2) | differs(3) == 0
            && (self.length <= HEAD || text.get(HEAD..self.length) == Some(&self.rest))
    }

    fn is(&self, literal: &[u8]) -> bool {
        self.length == literal.len() && self.begins(literal, &Self::new(literal, END, 0).head)
    }
}

#[inline(always)]
fn words(bytes: &[u8; HEAD]) -> [u64; HEAD / 8] {
    let word = |at: usize| {
        let byte = |behind: usize| bytes[at + behind];
        u64::from_le_bytes([byte(0), byte(1), byte(2), byte(3), byte(4), byte(5), byte(6), byte(7)])
    };
    [word(0), word(8), word(16), word(24)]
}

#[derive(Debug)]
struct State {
    role: Role,
    edges: Vec<Edge>,
    /// The edge that was taken the last time.
    last: usize,
}

/// Reads lines of one log. See the module.
#[derive(Debug)]
pub struct Layouts {
    wanted: Wanted,
    by_path: FxHashMap<Vec<String>, usize>,
    states: Vec<State>,
    /// Lines that it was given to learn, and lines that it read.
    learned: u64,
    read: u64,
    /// Objects in which nothing is wanted are skipped as one value: there were too many paths or literals in them.
    shallow: bool,
    slots: Slots,
}

impl Layouts {
    pub fn new(wanted: Wanted) -> Self {
        let start = State { role: Role::Skip, edges: Vec::new(), last: 0 };
        Self {
            wanted,
            by_path: FxHashMap::default(),
            states: vec![start],
            learned: 0,
            read: 0,
            shallow: false,
            slots: Slots::default(),
        }
    }

    /// Reads the line that `text` begins with: its values, and its length with its newline. `None` where the general
    /// parser must.
    #[inline]
    pub fn read<'t>(&mut self, text: &'t str) -> Option<(Flat<'t, '_>, usize)> {
        let bytes = text.as_bytes();
        let slots = &mut self.slots;
        slots.seen = 0;
        let mut rest = bytes;
        let mut state = &mut self.states[0];
        loop {
            let window = &words(rest.first_chunk()?);
            let edge = match state.edges.get(state.last) {
                Some(edge) if edge.begins(rest, window) => edge,
                _ => {
                    state.last = state.edges.iter().position(|edge| edge.begins(rest, window))?;
                    &state.edges[state.last]
                }
            };
            if slots.seen & edge.keys != 0 {
                return None;
            }
            slots.seen |= edge.keys;
            rest = rest.get(edge.length..)?;
            let next = edge.next;
            if next == END {
                let length = bytes.len() - rest.len();
                self.read += 1;
                return Some((Flat { text, slots: &self.slots }, length));
            }
            state = self.states.get_mut(next)?;
            rest = match state.role {
                Role::Skip => scan::skip(rest)?,
                Role::Container => match rest.first()? {
                    b'[' | b'{' => return None,
                    _ => scan::skip(rest)?,
                },
                Role::Slot(slot) => value(bytes, rest, slots.spans.get_mut(slot)?)?,
            };
        }
    }

    /// Whether it would learn another line.
    #[inline]
    pub fn learns(&self) -> bool {
        self.learned < MAX_LEARNED + self.read / READ_FOR_ONE
    }

    /// Learns from a line that the general parser has accepted, given with what follows it, its newline first.
    #[cold]
    pub fn learn(&mut self, text: &str) {
        self.learned += 1;
        if self.add(text.as_bytes()).is_none() && !self.shallow {
            self.shallow = true;
            self.add(text.as_bytes());
        }
    }

    /// `None` where there is no room for it.
    fn add(&mut self, text: &[u8]) -> Option<()> {
        let goes_into = |path: &[String]| !self.shallow || self.wanted.role(path) == Role::Container;
        let Some((steps, end)) = walk::steps(text, goes_into) else { return Some(()) };
        let newline = text[end..].iter().position(|byte| *byte == b'\n').map(|newline| end + newline + 1);
        // A row of a list has a comma behind it.
        let ends = |newline: &usize| {
            let behind = text[end..newline - 1].trim_ascii();
            behind.is_empty() || behind == b","
        };
        let Some(newline) = newline.filter(ends) else {
            return Some(());
        };
        // An object where one value is wanted: the general parser says so.
        let in_a_slot = |keys: &Vec<String>| matches!(self.wanted.role(keys), Role::Slot(_));
        if steps.iter().any(|step| step.keys[..step.keys.len() - 1].iter().any(in_a_slot)) {
            return Some(());
        }
        let (mut from, mut literal) = (0, 0);
        for step in steps {
            let keys =
                step.keys.iter().filter_map(|keys| self.wanted.0.get(keys)).fold(0, |bits, node| bits | node.bit);
            let to = self.state(step.path)?;
            self.edge(from, &text[literal..step.start], to, keys)?;
            (from, literal) = (to, step.end);
        }
        self.edge(from, &text[literal..newline], END, 0)
    }

    fn state(&mut self, path: Vec<String>) -> Option<usize> {
        if let Some(state) = self.by_path.get(&path) {
            return Some(*state);
        }
        if self.states.len() == MAX_STATES {
            return None;
        }
        self.states.push(State { role: self.wanted.role(&path), edges: Vec::new(), last: 0 });
        self.by_path.insert(path, self.states.len() - 1);
        Some(self.states.len() - 1)
    }

    fn edge(&mut self, from: usize, literal: &[u8], next: usize, keys: u64) -> Option<()> {
        let edges = &mut self.states[from].edges;
        if edges.iter().any(|edge| edge.is(literal)) {
            return Some(());
        }
        if edges.len() == MAX_EDGES {
            return None;
        }
        // One that goes on where another ends comes before it.
        let shorter = edges.iter().position(|edge| edge.length < literal.len());
        edges.insert(shorter.unwrap_or(edges.len()), Edge::new(literal, next, keys));
        self.states[from].last = 0;
        Some(())
    }
}

/// Reads a wanted value.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a line has at most 16 MB")]
fn value<'a>(bytes: &[u8], rest: &'a [u8], span: &mut Span) -> Option<&'a [u8]> {
    let start = (bytes.len() - rest.len()) as u32;
    let (kind, after) = match *rest.first()? {
        b'"' => {
            let (length, escaped) = scan::string(&rest[1..])?;
            span.start = start + 1;
            span.end = start + 1 + length as u32;
            span.kind = if escaped { Kind::Escaped } else { Kind::Text };
            return rest.get(length + 2..);
        }
        b'-' | b'0'..=b'9' => {
            let after = decimal::read(rest, &mut span.decimal)?;
            (span.start, span.end, span.kind) = (start, (bytes.len() - after.len()) as u32, Kind::Number);
            return Some(after);
        }
        b't' => (Kind::True, scan::word(rest, b"true")?),
        b'f' => (Kind::False, scan::word(rest, b"false")?),
        b'n' => (Kind::Null, scan::word(rest, b"null")?),
        _ => return None,
    };
    (span.start, span.end, span.kind) = (start, start, kind);
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::learned;
    use crate::ingest::native::{Line, parse_line};
    use crate::ingest::node::{self, Node};
    use crate::ingest::timestamp::IsoReader;
    use crate::schema::path::Step;
    use proptest::prelude::*;

    const GOOD: &str = r#"{"execution_type": "async", "success": true, "duration_ms": 1189.2647824950852, "timestamp": "2025-11-12T08:15:30.123456", "error_type": null, "fallback_used": false, "file_size_mb": 10.0, "provider": "kimi", "request_id": "r-000017", "file_type": "json", "memory_mb": 42.7}"#;
    /// What must follow a line for it to be read by its layout.
    const REST: &str = "{\"execution_type\": \"sync\", \"success\": true}      \n";

    fn own() -> Layouts {
        Layouts::new(learned::wanted_of_native().expect("few fields"))
    }

    /// What is read of a line is what the general parser reads of it; whether it was read.
    fn agree(layouts: &mut Layouts, times: &mut IsoReader, line: &str) -> Result<bool, TestCaseError> {
        let text = format!("{line}\n{REST}");
        let Some((flat, length)) = layouts.read(&text) else { return Ok(false) };
        let read = &text[..length];
        prop_assert!(read.ends_with('\n') && !read[..length - 1].contains('\n'), "{:?}", read);
        match (learned::read_native(&text, flat, times), parse_line(read.trim_ascii_end())) {
            (None, Ok(Line::Event(_)) | Err(_)) => {}
            (Some(Ok(fast)), Ok(Line::Record(slow))) => prop_assert_eq!(fast, *slow, "{}", line),
            (Some(Err(fast)), Err(slow)) => prop_assert_eq!(fast, slow, "{}", line),
            other => prop_assert!(false, "{:?}: {:?}", line, other),
        }
        Ok(true)
    }

    #[test]
    fn a_layout_is_read_once_it_was_learned() {
        let (mut layouts, mut times) = (own(), IsoReader::default());
        assert!(!agree(&mut layouts, &mut times, GOOD).unwrap());
        layouts.learn(&format!("{GOOD}\n{REST}"));
        for (from, to) in [
            ("1189.2647824950852", "7"),
            ("1189.2647824950852", "-1"),
            ("1189.2647824950852", "1e3"),
            ("\"error_type\": null", "\"error_type\": \"Timeout\""),
            ("30.123456", "30Z"),
            ("kimi", "ki\\u006di \\\"x\\\""),
            ("\"r-000017\"", "17"),
            ("10.0", "\"ten\""),
            ("async", "asink"),
            ("true", "null"),
        ] {
            let line = GOOD.replace(from, to);
            assert!(agree(&mut layouts, &mut times, &line).unwrap(), "{from} -> {to} is not read");
        }
        for (from, to) in [
            (": true", ":true"),
            ("10.0", "01"),
            ("10.0", "[1]"),
            ("10.0", "{}"),
            ("10.0", "NaN"),
            ("kimi", "ki\\x"),
            ("42.7}", "42.7, \"success\": false}"),
            ("42.7}", "42.7"),
            ("\"success\"", "\"event_type\": \"rollback\", \"success\""),
        ] {
            let line = GOOD.replace(from, to);
            assert!(!agree(&mut layouts, &mut times, &line).unwrap(), "{from} -> {to} is read");
        }
        // A kind of event that is null is none.
        let null = GOOD.replace("\"success\"", "\"event_type\": null, \"success\"");
        layouts.learn(&format!("{null}\n{REST}"));
        assert!(agree(&mut layouts, &mut times, &null).unwrap());
    }

    #[test]
    fn a_wanted_key_may_stand_once() {
        let (mut layouts, mut times) = (own(), IsoReader::default());
        let doubled = GOOD.replace("\"success\": true", "\"success\": false, \"success\": true");
        layouts.learn(&format!("{doubled}\n{REST}"));
        layouts.learn(&format!("{GOOD}\n{REST}"));
        assert!(!agree(&mut layouts, &mut times, &doubled).unwrap());
        assert!(agree(&mut layouts, &mut times, GOOD).unwrap());
    }

    #[test]
    fn a_log_that_never_repeats_itself_takes_no_more_than_its_room() {
        let mut layouts = own();
        let mut given = 0;
        for line in 0..5000 {
            let text = format!("{{\"k{line}\": {{\"a\": 1, \"b{}\": 2}}, \"success\": true}}\n{REST}", line % 7);
            if layouts.read(&text).is_none() && layouts.learns() {
                layouts.learn(&text);
                given += 1;
            }
        }
        assert!(given <= MAX_LEARNED + 5000 / READ_FOR_ONE, "{given}");
        assert!(
            layouts.states.len() <= MAX_STATES && layouts.states.iter().all(|state| state.edges.len() <= MAX_EDGES)
        );
    }

    /// Keys of a random schema: some nested, some with dots or escapes, some wanted.
    const KEYS: [&[&str]; 9] =
        [&["a"], &["b", "c"], &["b", "d.e"], &["f.g"], &["h", "i", "j"], &["k\"l"], &["m"], &["b", "n"], &["o"]];
    const WANTED: [&[&str]; 6] = [&["a"], &["b", "c"], &["b", "d", "e"], &["f", "g"], &["h", "i", "j"], &["m"]];

    /// A value as JSON writes it, and some that it does not.
    fn value_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<f64>().prop_map(|value| format!("{value:?}")),
            any::<i32>().prop_map(|value| value.to_string()),
            "[ -~é]{0,12}".prop_map(|text| serde_json::to_string(&text).expect("a text")),
            prop::sample::select(
                &[
                    "null",
                    "true",
                    "false",
                    "[]",
                    "{}",
                    "[1, {\"x\": [\"]\"]}]",
                    "{\"c\": 5}",
                    "[{\"key\": \"c\", \"value\": 1}]"
                ][..]
            )
            .prop_map(str::to_owned),
        ]
    }

    /// A line of some keys in some order, nested where its style says so.
    fn line_of(fields: &[(usize, String)], style: u8) -> String {
        let (colon, comma) = [(": ", ", "), (":", ","), (" :  ", " , ")][usize::from(style % 3)];
        let mut parts: Vec<String> = Vec::new();
        for (key, value) in fields {
            let quoted: Vec<String> =
                KEYS[*key].iter().map(|key| serde_json::to_string(key).expect("a text")).collect();
            let opened: Vec<String> = quoted.iter().map(|key| format!("{key}{colon}")).collect();
            parts.push(format!("{}{value}{}", opened.join("{"), "}".repeat(quoted.len() - 1)));
        }
        format!("{{{}}}", parts.join(comma))
    }

    /// What the tree of a line has at the wanted paths; `None` where one is a list or an object.
    fn of_tree(node: &Node<'_>) -> Option<Vec<Option<String>>> {
        let at = |keys: &&[&str]| {
            let steps: Vec<Step> = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
            match node.find(&steps) {
                None | Some(Node::Null) => Some(None),
                Some(Node::Text(text)) => Some(Some(text.to_string())),
                Some(Node::List(_) | Node::Object(_)) => None,
            }
        };
        WANTED.iter().map(at).collect()
    }

    fn of_flat(flat: Flat<'_, '_>) -> Vec<Option<String>> {
        let at = |slot| match flat.get(slot) {
            None | Some(Found::Null) => None,
            Some(Found::True) => Some("true".to_owned()),
            Some(Found::False) => Some("false".to_owned()),
            Some(Found::Number(text, decimal)) => {
                assert!(decimal.shifted(0).is_none_or(|value| Ok(value) == text.parse()), "{text}");
                Some(text.to_owned())
            }
            Some(Found::Text(text)) => Some(text.into_owned()),
        };
        (0..WANTED.len()).map(at).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// A line with any bytes of it changed, dropped or doubled.
        #[test]
        fn changed_lines_are_read_the_same_or_left_alone(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, "[ -~é\\n]"), 1..4),
            day in 1_u8..32, learn_it in any::<bool>(),
        ) {
            let (mut layouts, mut times) = (own(), IsoReader::default());
            layouts.learn(&format!("{GOOD}\n{REST}"));
            agree(&mut layouts, &mut times, &GOOD.replace("11-12", &format!("11-{day:02}")))?;
            let mut line = GOOD.to_owned();
            for (at, kind, text) in edits {
                let at = line.floor_char_boundary(at.index(line.len()));
                let character = line[at..].chars().next().map_or(0, char::len_utf8);
                match kind {
                    0 => line.replace_range(at..at + character, &text),
                    1 => line.replace_range(at..at + character, ""),
                    _ => line.insert_str(at, &text),
                }
                if line.is_empty() {
                    line = GOOD.to_owned();
                }
            }
            if learn_it && parse_line(&line).is_ok() && !line.contains('\n') {
                layouts.learn(&format!("{line}\n{REST}"));
            }
            agree(&mut layouts, &mut times, &line)?;
            agree(&mut layouts, &mut times, GOOD)?;
        }

        #[test]
        fn values_of_any_size_are_read_the_same(
            duration in "-?[0-9]{1,10}(\\.[0-9]{1,14})?([eE][+-]?[0-9]{1,2})?", size in "[0-9]{1,12}(\\.[0-9]{1,9})?", memory in "null|[0-9]{1,5}\\.[0-9]",
            name in "[a-zé]{0,12}",
            time in "20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.,][0-9]{1,11})?(Z|z|[+-]0[0-9]:?[0-5]0)?",
            next in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,7})?(Z|\\+01:00)?",
        ) {
            let (mut layouts, mut times) = (own(), IsoReader::default());
            layouts.learn(&format!("{GOOD}\n{REST}"));
            let line = GOOD.replace("1189.2647824950852", &duration).replace("10.0", &size).replace("42.7", &memory)
                .replace("kimi", &name);
            for time in [&time, &format!("{}T{next}", &time[..10]), &time] {
                agree(&mut layouts, &mut times, &line.replace("2025-11-12T08:15:30.123456", time))?;
            }
        }

        /// Random schemas: any keys in any order, any separators, keys twice, lists and objects where they are not
        /// expected. Every line that the general parser accepts is learned, and what is then read is what it reads.
        #[test]
        fn lines_of_any_schema_are_read_as_the_tree_is(
            lines in prop::collection::vec((prop::collection::vec((0..KEYS.len(), value_text()), 0..7), 0_u8..3), 1..12),
        ) {
            let mut layouts = Layouts::new(Wanted::new(WANTED.iter().map(|keys| keys.to_vec())).expect("few paths"));
            for (fields, style) in lines.iter().chain(&lines) {
                let line = line_of(fields, *style);
                let text = format!("{line}\n{REST}");
                let tree = node::parse(&line);
                match layouts.read(&text) {
                    None => {
                        if tree.is_ok() {
                            layouts.learn(&text);
                        }
                    }
                    Some((flat, length)) => {
                        prop_assert_eq!(&text[..length], format!("{}\n", line));
                        let tree = tree.expect("what is read is JSON");
                        prop_assert_eq!(Some(of_flat(flat)), of_tree(&tree), "{}", line);
                    }
                }
            }
        }
    }
}
