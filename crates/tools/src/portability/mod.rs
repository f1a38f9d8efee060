//! The page `docs/portability.md`: the subcommands `matrix` and `isa` both write their parts of it here.

use crate::Result;
use std::{fs, path::Path};

pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/portability.md");

/// A part of the page, with what was found.
pub enum Part {
    /// The tables of `matrix`.
    Drivers(String),
    /// What `isa` puts into its text, by the names that stand in brackets there.
    MachineCode(Vec<(&'static str, String)>),
}

/// Where the part about machine code begins, which is the last one.
const HEADING: &str = "\n## Machine code of real GPUs\n";

/// Writes a part of the page, and keeps the other.
pub fn write(path: &Path, part: &Part) -> Result<()> {
    Ok(fs::write(path, with(&fs::read_to_string(path)?, part))?)
}

/// The page with this part in place of its own.
fn with(page: &str, part: &Part) -> String {
    let at = page.find(HEADING).unwrap_or(page.len());
    let (drivers, machine_code) = page.split_at(at);
    match part {
        Part::Drivers(tables) => format!("{}\n{tables}{machine_code}", include_str!("drivers.md")),
        Part::MachineCode(found) => {
            let text = found
                .iter()
                .fold(include_str!("machine_code.md").to_string(), |text, (name, lines)| {
                    text.replace(&format!("{{{name}}}\n"), lines)
                });
            format!("{drivers}{HEADING}{text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine_code(table: &str) -> Part {
        let mut found: Vec<_> = ["kernels_beyond", "functions", "functions_beyond", "budgets"]
            .map(|name| (name, format!("| {name} |\n")))
            .into();
        found.extend([("summaries", "- summary.\n".into()), ("kernels", table.into())]);
        Part::MachineCode(found)
    }

    #[test]
    fn each_part_keeps_the_other() {
        let drivers = |tables: &str| Part::Drivers(tables.into());
        let page = with(&with("", &drivers("| a |\n")), &machine_code("| b |\n"));
        assert!(
            page.starts_with("# Portability\n") && page.contains("\n- summary.\n"),
            "{page}"
        );
        let other = with(&page, &drivers("| c |\n"));
        assert_eq!(other, page.replace("| a |", "| c |"));
        assert_eq!(with(&other, &machine_code("| d |\n")), other.replace("| b |", "| d |"));
        assert!(!page.contains('{'), "{page}");
    }

    /// The page has the texts that stand around the tables.
    #[test]
    fn the_page_has_these_texts() {
        let page = fs::read_to_string(PATH).unwrap();
        assert!(page.starts_with(include_str!("drivers.md")));
        let (_, machine_code) = page.split_once(HEADING).unwrap();
        for text in include_str!("machine_code.md").split(['{', '}']).step_by(2) {
            assert!(machine_code.contains(text.trim_matches('\n')), "{text}");
        }
    }
}
