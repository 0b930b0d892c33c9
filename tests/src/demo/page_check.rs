//! Reads the demo's page as a browser would, and says what is wrong with it.
//!
//! The page is well formed, so that a parser can say what is in it: nothing is looked for in its
//! text that could stand in a comment, a style or a name.

use anyhow::{Context as _, Result, ensure};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::page::AXES;

/// Every element that the page and its plots are made of: none loads or runs anything.
const ELEMENTS: [&str; 25] = [
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "b", "code", "span",
    "table", "tr", "th", "td", "svg", "g", "rect", "line", "polyline", "circle", "text", "path",
    "polygon",
];

/// Attributes by which an element could load, run or lead to something. Those that begin with
/// `on` run something.
const LOADING: [&str; 9] =
    ["src", "srcset", "href", "action", "data", "background", "poster", "http-equiv", "begin"];

/// What in a style or an attribute's value would load something.
const ELSEWHERE: [&str; 5] = ["url(", "@import", "://", "javascript:", "data:"];

/// Expects a page that has everything in it: plots with their axes named, the query beyond the
/// budget, and the table of attacks that it was made with.
///
/// # Errors
///
/// Whatever is missing, or should not be there, named.
pub fn check(page: &str, attacks: Option<&Value>) -> Result<()> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(page, options).context("expected well-formed")?;
    for element in document.descendants().filter(Node::is_element) {
        self_contained(element)?;
    }
    plots(&document)?;
    let refused = all(document.root(), "span").filter(|span| span.attribute("class") == Some("no"));
    let refused: Vec<String> = refused.map(words).collect();
    ensure!(refused == ["withheld, budget spent"], "the refused query: found {refused:?}");
    table(&document, attacks)
}

fn self_contained(element: Node<'_, '_>) -> Result<()> {
    let name = element.tag_name().name();
    ensure!(ELEMENTS.contains(&name), "expected nothing that loads or runs, found <{name}>");
    for attribute in element.attributes() {
        let (key, value) = (attribute.name(), attribute.value());
        let loads = LOADING.contains(&key) || key.starts_with("on");
        ensure!(!loads, "<{name}> has {key}=\"{value}\"");
        let elsewhere = ELSEWHERE.iter().find(|it| value.contains(**it));
        ensure!(elsewhere.is_none(), "<{name} {key}> names {elsewhere:?}");
    }
    if name == "style" {
        let style = words(element);
        let elsewhere = ELSEWHERE.iter().find(|it| style.contains(**it));
        ensure!(elsewhere.is_none(), "the style names {elsewhere:?}");
    }
    Ok(())
}

/// Each plot names both its axes, has numbers along them, and shows something.
fn plots(document: &Document<'_>) -> Result<()> {
    let plots: Vec<_> = all(document.root(), "svg").collect();
    ensure!(plots.len() == AXES.len(), "expected {} plots, found {}", AXES.len(), plots.len());
    for (plot, (x, y)) in plots.into_iter().zip(AXES) {
        let labels: Vec<String> = all(plot, "text").map(words).collect();
        for axis in [x, y] {
            ensure!(labels.iter().any(|label| label == axis), "no axis {axis:?} in {labels:?}");
        }
        let numbers = labels.iter().filter(|label| label.parse::<f64>().is_ok()).count();
        ensure!(numbers >= 4, "expected numbers along both axes of {y:?}, found {labels:?}");
        let shown = all(plot, "polyline").chain(all(plot, "circle")).count();
        // Two of the lines are the axes themselves.
        ensure!(shown > 2, "nothing is plotted over {y:?}");
    }
    Ok(())
}

/// One row for each attack, in order: name, how often it was right, its bound, whether it held.
fn table(document: &Document<'_>, attacks: Option<&Value>) -> Result<()> {
    let Some(attacks) = attacks else {
        let told = all(document.root(), "p").any(|p| words(p).starts_with("Not played:"));
        ensure!(told, "expected to be told that no attack was played");
        return Ok(());
    };
    let last = all(document.root(), "table").last().context("expected the table of attacks")?;
    let row = |row: Node<'_, '_>| all(row, "td").map(words).collect::<Vec<_>>();
    let found: Vec<Vec<String>> = all(last, "tr").map(row).filter(|row| !row.is_empty()).collect();
    let attacks = attacks.get("attacks").and_then(Value::as_array).context("attacks")?;
    ensure!(found.len() == attacks.len(), "expected {} attacks, found {found:?}", attacks.len());
    for (found, attack) in found.iter().zip(attacks) {
        let text = |field: &str| attack.get(field).and_then(Value::as_str).map(str::to_owned);
        let percent = |pointer: &str| {
            let permille = attack.pointer(pointer).and_then(Value::as_u64)?;
            Some(format!("{}.{} %", permille / 10, permille % 10))
        };
        let held = attack.get("held").and_then(Value::as_bool).context("held")?;
        let expected = [
            text("name"),
            percent("/right_permille"),
            percent("/bound_permille"),
            percent("/without/right_permille").or_else(|| Some(String::from("-"))),
            Some(String::from(if held { "held" } else { "SUCCEEDED" })),
            text("what"),
        ];
        let expected = expected.into_iter().collect::<Option<Vec<_>>>().context("an attack")?;
        ensure!(*found == expected, "expected {expected:?}, found {found:?}");
    }
    Ok(())
}

fn all<'a, 'input>(
    within: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    within.descendants().filter(move |node| node.tag_name().name() == name)
}

/// All text in a node, without the spaces around it.
fn words(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    texts.filter_map(|text| text.text()).collect::<String>().trim().to_owned()
}
