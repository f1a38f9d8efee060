//! The declarations of a WGSL text. Those that a kernel needs are kept.

use std::collections::{HashMap, HashSet};

/// A declaration with the comment above it.
struct Item<'a> {
    text: &'a str,
    name: &'a str,
    is_entry_point: bool,
    is_function: bool,
}

/// The entry points of a text, the declarations called `roots`, and everything that these need, in the order of the text. `chosen`
/// gives the function that is meant by a name that the text only calls.
pub(super) fn needed(text: &str, roots: &[&str], chosen: impl Fn(&str) -> Option<&'static str>) -> String {
    let items = items(text);
    let by_name: HashMap<&str, usize> = items.iter().enumerate().map(|(i, item)| (item.name, i)).collect();
    debug_assert_eq!(by_name.len(), items.len(), "a name is declared twice");
    let mut found = HashSet::new();
    let is_root = |item: &Item| item.is_entry_point || roots.contains(&item.name);
    let mut left: Vec<usize> = (0..items.len()).filter(|&i| is_root(&items[i])).collect();
    while let Some(i) = left.pop() {
        if found.insert(i) {
            let used = names(items[i].text).filter_map(|(name, is_called)| {
                let meant = if is_called { chosen(name) } else { None };
                // A variable may have the name of a function.
                let item = *by_name.get(meant.unwrap_or(name))?;
                (is_called || !items[item].is_function).then_some(item)
            });
            left.extend(used);
        }
    }
    let kept = items.iter().enumerate().filter(|(i, _)| found.contains(i));
    let kept: Vec<_> = kept.map(|(_, item)| item.text.trim()).collect();
    renamed(&(kept.join("\n\n") + "\n"), |name, is_called| {
        if is_called {
            chosen(name).map(String::from)
        } else {
            None
        }
    })
}

/// The text with other names. `rename` takes an identifier and whether a parenthesis follows. Comments keep their words.
pub(super) fn renamed(text: &str, rename: impl Fn(&str, bool) -> Option<String>) -> String {
    let mut result = String::new();
    for line in text.split_inclusive('\n') {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        let mut rest = code;
        while !rest.is_empty() {
            let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(word);
            match rename(name, after.starts_with('(')) {
                Some(other) if !name.is_empty() => result += &other,
                _ => result += name,
            }
            let next = after.find(is_part).unwrap_or(after.len());
            result += &after[..next];
            rest = &after[next..];
        }
        result += comment;
    }
    result
}

/// The declaration of a name in a text, with its comment and attributes.
pub(super) fn declaration<'a>(text: &'a str, name: &str) -> &'a str {
    let mut items = items(text).into_iter();
    items.find(|item| item.name == name).map_or("", |item| item.text)
}

/// The names that a text declares.
pub(super) fn declared_names(text: &str) -> HashSet<&str> {
    items(text).iter().map(|item| item.name).collect()
}

/// The declarations at the outermost level, which start at the beginning of a line. A comment that is followed by an empty line
/// belongs to none.
fn items(text: &str) -> Vec<Item<'_>> {
    let mut items = vec![];
    let mut start = None; // of the comment and the attributes before a declaration
    let mut at = 0;
    let mut is_entry_point = false;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let first = at;
        at += line.len();
        if line.starts_with("//") || line.starts_with('@') && !line.contains(" var<") {
            start.get_or_insert(first);
            is_entry_point |= line.starts_with('@');
            continue;
        }
        if line.trim().is_empty() {
            start = None;
            is_entry_point = false;
            continue;
        }
        // One line, or up to the brace that closes it.
        if line.trim_end().ends_with('{') {
            for line in lines.by_ref() {
                at += line.len();
                if line.starts_with('}') {
                    break;
                }
            }
        }
        debug_assert!(!declared(line).is_empty(), "no declaration: {line}");
        items.push(Item {
            text: &text[start.unwrap_or(first)..at],
            name: declared(line),
            is_entry_point,
            is_function: line.starts_with("fn "),
        });
        start = None;
        is_entry_point = false;
    }
    items
}

/// The name that a declaration gives.
fn declared(line: &str) -> &str {
    let keyword = ["fn ", "const ", "struct ", "alias "]
        .iter()
        .find_map(|keyword| line.strip_prefix(keyword));
    let rest = keyword.or_else(|| line.split_once("var<")?.1.split_once("> ").map(|(_, rest)| rest));
    rest.and_then(|rest| names(rest).next()).map_or("", |(name, _)| name)
}

/// Whether a name or a number may have this character.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The identifiers in code, and whether a parenthesis follows; comments have none.
fn names(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let code = text
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    code.flat_map(move |line| {
        let words = line.split(move |c| !is_part(c));
        let mut at = 0;
        words.map(move |word| {
            at += word.len() + 1;
            (word, line.as_bytes().get(at - 1) == Some(&b'('))
        })
    })
    .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// The head of a file.

// It doubles.
fn double(x: u32) -> u32 {
    // half(x) isn't needed.
    return x * TWO;
}
const TWO: u32 = 2u; // used
const THREE: u32 = 3u;
fn half(x: u32) -> u32 {
    return x / TWO;
}
@group(0) @binding(0) var<storage, read> x_vec: array<vec4<u32>>;
@group(0) @binding(0) var<storage, read> x_word: array<u32>;
var<workgroup> partials: array<u32, 256>;
struct Pair {
    a: u32,
}

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    let p = Pair(double(x_vec[i].x));
    let half = p;
}
";

    #[test]
    fn only_what_is_needed_is_kept() {
        let kept = needed(TEXT, &[], |_| None);
        let names: Vec<_> = items(&kept).iter().map(|item| item.name).collect();
        assert_eq!(names, ["double", "TWO", "x_vec", "Pair", "main"]);
        assert!(kept.contains("// It doubles.") && !kept.contains("head"));
        let names: Vec<_> = items(TEXT).iter().map(|item| item.name).collect();
        assert_eq!(
            names,
            [
                "double", "TWO", "THREE", "half", "x_vec", "x_word", "partials", "Pair", "main"
            ]
        );
        assert!(needed(TEXT, &["partials"], |_| None).contains("var<workgroup> partials"));
    }

    #[test]
    fn a_chosen_function_takes_the_place_of_a_name() {
        let text = TEXT.replace("double(x_vec", "formula(x_vec");
        let kept = needed(&text, &[], |name| (name == "formula").then_some("half"));
        assert!(
            kept.contains("Pair(half(x_vec[i].x))") && kept.contains("fn half("),
            "{kept}"
        );
        assert!(!kept.contains("double") && !kept.contains("formula"), "{kept}");
    }

    #[test]
    fn only_identifiers_in_code_are_renamed() {
        let called = renamed("half(x.half) + half; // half(x)\nhalf (2u)", |name, is_called| {
            (name == "half" && is_called).then(|| "third".into())
        });
        assert_eq!(called, "third(x.half) + half; // half(x)\nhalf (2u)");
        assert_eq!(renamed(TEXT, |_, _| None), TEXT);
        let all = renamed("a1 + 1u * ba", |name, _| (name == "a1").then(|| "p_a1".into()));
        assert_eq!(all, "p_a1 + 1u * ba");
    }
}
