//! Which words of a log stand for which arm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matcher::Matcher;
use super::source::FieldSection;

/// `[record.arms]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the arms")]
pub struct ArmsSection {
    /// Words or patterns of the old way.
    pub control: Vec<String>,
    /// Words or patterns of the new way.
    pub treated: Vec<String>,
    /// Words or patterns of what was meant for the new way and went the old one.
    pub fallback: Vec<String>,
    /// Where the word stands in a row; else where the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldSection>,
    /// How people call them.
    pub names: ArmNames,
}

/// `[record.arms] names`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "names of the arms: control and treated")]
pub struct ArmNames {
    /// The old way; else the first word of its list, where that is no pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// The new way, alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub treated: Option<String>,
}

impl Default for ArmsSection {
    fn default() -> Self {
        let one = |word: &str| vec![word.to_owned()];
        Self {
            control: one("sync"),
            treated: one("async"),
            fallback: one("sync_fallback"),
            field: None,
            names: ArmNames::default(),
        }
    }
}

impl ArmsSection {
    /// How people call the old way and the new one.
    pub fn called(&self) -> [String; 2] {
        let plain = |words: &Vec<String>| {
            let first = words.first()?;
            matches!(Matcher::parse(first), Ok(Matcher::Word(_))).then(|| first.clone())
        };
        let of = |name: &Option<String>, words, otherwise: &str| {
            name.clone().or_else(|| plain(words)).unwrap_or_else(|| otherwise.to_owned())
        };
        [of(&self.names.control, &self.control, "old"), of(&self.names.treated, &self.treated, "new")]
            .map(|name| name.trim().to_owned())
    }
}

/// How a row was carried out, in the order of the numbers that a cube keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assigned {
    Control,
    Treated,
    Fallback,
}

impl Assigned {
    pub const ALL: [Self; 3] = [Self::Control, Self::Treated, Self::Fallback];

    /// The key of [`ArmsSection`].
    pub fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Treated => "treated",
            Self::Fallback => "fallback",
        }
    }
}

/// The words of the arms, ready to be looked up.
#[derive(Debug, Clone)]
pub struct Arms([Vec<Matcher>; 3]);

impl Arms {
    /// Reads the words.
    ///
    /// # Errors
    /// The key, the number of the word, and what is wrong with it.
    pub fn new(section: &ArmsSection) -> Result<Self, (&'static str, usize, String)> {
        let read = |arm: Assigned, words: &[String]| -> Result<Vec<Matcher>, _> {
            let one = |(index, word): (usize, &String)| match word.as_str() {
                "" => Err((arm.word(), index, "an arm without a word".to_owned())),
                word => Matcher::parse(word).map_err(|why| (arm.word(), index, why)),
            };
            words.iter().enumerate().map(one).collect()
        };
        let arms = Self([
            read(Assigned::Control, &section.control)?,
            read(Assigned::Treated, &section.treated)?,
            read(Assigned::Fallback, &section.fallback)?,
        ]);
        let twice = section.treated.iter().position(|word| section.control.contains(word));
        match twice {
            Some(index) => Err(("treated", index, format!("{:?} is a word of control, too", section.treated[index]))),
            None => Ok(arms),
        }
    }

    /// The arm of a word; exact words go before ranges and patterns.
    pub fn of(&self, word: &str) -> Option<Assigned> {
        let arm = |holds: fn(&Matcher, &str) -> bool| {
            let position = self.0.iter().position(|words| words.iter().any(|matcher| holds(matcher, word)));
            position.map(|index| Assigned::ALL[index])
        };
        arm(Matcher::is).or_else(|| arm(Matcher::holds))
    }

    /// All words, as a person reads them.
    pub fn text(&self) -> String {
        let known = Assigned::ALL.iter().zip(&self.0).filter(|(_, words)| !words.is_empty()).map(|(arm, words)| {
            format!("{} {}", arm.word(), words.iter().map(Matcher::text).collect::<Vec<_>>().join(", "))
        });
        known.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_words_go_before_patterns() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let section = ArmsSection {
            control: words(&["^v"]),
            treated: words(&["v2", "/-async$/"]),
            fallback: words(&["v2-old"]),
            ..ArmsSection::default()
        };
        let arms = Arms::new(&section).unwrap();
        assert_eq!(arms.of("v2"), Some(Assigned::Treated));
        assert_eq!(arms.of("v2-old"), Some(Assigned::Fallback));
        assert_eq!(arms.of("v1"), Some(Assigned::Control));
        assert_eq!(arms.of("x-async"), Some(Assigned::Treated));
        assert_eq!(arms.of("canary"), None);
        let twice = ArmsSection { control: words(&["a"]), treated: words(&["a"]), ..ArmsSection::default() };
        assert_eq!(Arms::new(&twice).unwrap_err().2, "\"a\" is a word of control, too");
    }
}
