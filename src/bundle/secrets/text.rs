//! What kind of text a file is, by its name.

use super::rule::Where;

/// What kind of text a file is, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Binary,
    /// Lock files, maps, drawings: long random strings are their nature.
    Generated,
    Code,
    /// Values stand without quotes.
    Settings,
}

impl Text {
    /// By the name of the file.
    pub(super) fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let lock =
            ["cargo.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "poetry.lock", "go.sum", "uv.lock"];
        if lock.contains(&name.as_str())
            || name.ends_with(".min.js")
            || matches!(ending, "lock" | "map" | "svg" | "sum" | "woff" | "snap" | "ipynb")
        {
            return Self::Generated;
        }
        let settings = [
            "env",
            "ini",
            "cfg",
            "conf",
            "config",
            "properties",
            "yaml",
            "yml",
            "toml",
            "sh",
            "bash",
            "zsh",
            "ps1",
            "tf",
            "tfvars",
            "envrc",
        ];
        let named = name.starts_with(".env") || name.starts_with("dockerfile") || name.starts_with("docker-compose");
        if named || settings.contains(&ending) { Self::Settings } else { Self::Code }
    }

    /// Whether a rule for this place looks into it.
    pub(super) fn takes(self, place: Where) -> bool {
        match place {
            Where::Anywhere => true,
            Where::WrittenText => matches!(self, Self::Code | Self::Settings),
            Where::Settings => self == Self::Settings,
        }
    }
}
