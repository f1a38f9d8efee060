//! A model's activations as text for people.

use super::{
    activation::{Activation, Model, Total},
    computed::{BUT_SIGNS, NONE},
};
use hard_sigmoid::HardSigmoid;
use std::fmt;

/// The text that the command `hard-sigmoid inspect` prints after the file's name: a table of the activations, and a paragraph on each
/// function.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paragraphs = vec![self.table()];
        for activation in &self.activations {
            for text in activation.texts() {
                if !paragraphs.contains(&text) {
                    paragraphs.push(text);
                }
            }
        }
        paragraphs.extend(self.total());
        f.write_str(&paragraphs.join("\n\n"))
    }
}

impl Model {
    /// How many activations there are, and of which kinds.
    fn total(&self) -> Option<String> {
        let count: usize = self.totals.iter().map(|total| total.count).sum();
        let what = if count == 1 { "activation" } else { "activations" };
        let definitions = |total: &Total| match &total.definitions[..] {
            [] => "no preset".into(),
            definitions if total.or_none => format!("{} or none", names(definitions)),
            definitions => names(definitions),
        };
        let (first, rest) = self.totals.split_first()?;
        // Those that all have are named once.
        let have_same = rest
            .iter()
            .all(|total| (&total.definitions, total.or_none) == (&first.definitions, first.or_none));
        let kinds = self.totals.iter().map(|total| match total {
            Total { count, function, .. } if have_same => format!("{count} {}", function.name()),
            Total { count, function, .. } => format!("{count} {} ({})", function.name(), definitions(total)),
        });
        let kinds: Vec<_> = kinds.collect();
        let all = match first.definitions.is_empty() {
            _ if !have_same => String::new(),
            true => ", with the bits of no preset".into(),
            false => format!(", all {}", definitions(first)),
        };
        Some(format!("{count} {what}: {}{all}", kinds.join(", ")))
    }

    fn table(&self) -> String {
        let made_by = self.made_by.iter().map(|by| format!(", made by {}", plain(by)));
        let mut lines = vec![format!("{}{}", self.format, made_by.collect::<String>())];
        let rows: Vec<[String; 4]> = self.activations.iter().map(Activation::row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c] = [0, 1, 2].map(width);
        for [name, function, written, which] in &rows {
            lines.push(format!("  {name:<a$}  {function:<b$}  {written:<c$}  {which}"));
        }
        match &self.note {
            Some(note) => lines.push(format!("  may be incomplete: {}", plain(note))),
            None if rows.is_empty() => lines.push("  no hard sigmoid".into()),
            None => {}
        }
        let quantized =
            |one: &Activation| Some(format!("    {}: {}", plain(&one.name), one.quantized.as_ref()?.text()));
        let mut quantized = self.activations.iter().filter_map(quantized).peekable();
        if quantized.peek().is_some() {
            lines.push("  in 8 bits, compared with what ONNX Runtime computes:".into());
        }
        lines.extend(quantized);
        lines.join("\n")
    }
}

impl Activation {
    fn row(&self) -> [String; 4] {
        let definitions = match &self.definitions[..] {
            [] => match self.definitions_but_for_signs() {
                definitions if definitions.is_empty() => NONE.into(),
                definitions => format!("{}{BUT_SIGNS}", names(&definitions)),
            },
            definitions if self.may_be_none() => format!("{} or none", names(definitions)),
            definitions => names(definitions),
        };
        let times = if self.times > 1 {
            format!(", {} times", self.times)
        } else {
            String::new()
        };
        [
            plain(&self.name),
            self.function.name().into(),
            plain(&self.written) + &times,
            definitions,
        ]
    }

    /// A paragraph on each result that it may have.
    fn texts(&self) -> impl Iterator<Item = String> {
        let dtype = self.dtype.map(|dtype| {
            format!("the model is in {dtype}; it was compared as if in float32, so its bits may be others")
        });
        let more = [
            ("gradient:", self.gradient),
            ("warning:", self.warning),
            ("dtype:", dtype.as_deref()),
        ];
        let more = more
            .iter()
            .filter_map(|(what, text)| Some(format!("\n  {what:<17}{}", (*text)?)));
        let more: String = more.collect();
        self.computed
            .iter()
            .map(move |computed| computed.text(self.function) + &more)
    }
}

fn names(definitions: &[HardSigmoid]) -> String {
    let names: Vec<_> = definitions.iter().map(HardSigmoid::to_string).collect();
    names.join(" or ")
}

/// Text of a file on one line, without the control characters that a terminal would obey.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
