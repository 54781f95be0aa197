//! Writing SVG: elements, colours and the widths of texts.
//!
//! Fonts are the viewer's own, so the widths of texts are estimates, and the layout leaves room for them.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// On what background a chart is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// A light one, and a dark one where the viewer prefers that.
    #[default]
    Auto,
    /// A light one.
    Light,
    /// A dark one.
    Dark,
}

/// How many colours there are for lines.
pub(super) const COLOURS: usize = 6;

/// The dashes of lines, as one after another has had all colours.
const DASHES: [&str; 4] = ["", "7 4", "2 3", "10 3 2 3"];

/// The size of texts.
pub(super) const SIZE: f64 = 13.0;

/// The colours of a theme. Those of lines are the palette of Okabe & Ito (Color universal design, 2008)
/// without its yellow and black, which people with any colour vision tell apart, made darker or lighter
/// for the background.
struct Colours {
    background: &'static str,
    text: &'static str,
    muted: &'static str,
    grid: &'static str,
    lines: [&'static str; COLOURS],
}

const LIGHT: Colours = Colours {
    background: "#ffffff",
    text: "#1f2328",
    muted: "#59636e",
    grid: "#e6e9ed",
    lines: ["#0072b2", "#d55e00", "#009e73", "#b8578f", "#c08000", "#2f96d0"],
};

const DARK: Colours = Colours {
    background: "#15181d",
    text: "#e6e9ed",
    muted: "#98a2ad",
    grid: "#2c323a",
    lines: ["#3f9fe0", "#ff8440", "#2fc79a", "#e590c4", "#f0b73a", "#a5dcff"],
};

fn rules(colours: &Colours) -> String {
    let Colours { background, text, muted, grid, lines } = colours;
    let mut rules = format!(
        ".chart .ground{{fill:{background}}}\
         .chart .text{{fill:{text}}}\
         .chart .muted{{fill:{muted}}}\
         .chart .grid{{stroke:{grid}}}\
         .chart .axis{{stroke:{muted}}}\
         .chart .whisker{{stroke:{text}}}"
    );
    for (i, colour) in lines.iter().enumerate() {
        let _ = write!(rules, ".chart .s{i}{{stroke:{colour}}}.chart .f{i}{{fill:{colour}}}");
    }
    rules
}

/// A picture that is being drawn. Lengths are in pixels, from the upper left.
pub(super) struct Svg {
    text: String,
}

impl Svg {
    /// An empty picture of a size, with what it is called for those who cannot see it.
    pub(super) fn new(width: f64, height: f64, title: &str, theme: Theme) -> Self {
        let style = match theme {
            Theme::Light => rules(&LIGHT),
            Theme::Dark => rules(&DARK),
            Theme::Auto => {
                let dark = rules(&DARK);
                format!("{}\n@media (prefers-color-scheme:dark){{{dark}}}", rules(&LIGHT))
            }
        };
        let (width, height, title) = (number(width), number(height), escaped(title));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\" \
             font-size=\"{SIZE}\">\n\
             <title>{title}</title>\n\
             <style>\n{style}\n</style>\n\
             <rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n"
        );
        Self { text }
    }

    /// The whole picture.
    pub(super) fn finish(self) -> String {
        self.text + "</svg>\n"
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, width: f64, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        let _ = writeln!(
            self.text,
            "<line class=\"{class}\" stroke-width=\"{width}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        );
    }

    /// A line of the chart through pieces of points, in the colour and dashes of a number.
    pub(super) fn path(&mut self, line: usize, pieces: &[Vec<(f64, f64)>]) {
        let dashes = match DASHES[line / COLOURS % DASHES.len()] {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        };
        let _ = writeln!(
            self.text,
            "<path class=\"s{}\" fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\"{dashes} d=\"{}\"/>",
            line % COLOURS,
            pieces.iter().map(|piece| path(piece)).collect::<String>(),
        );
    }

    /// A see-through surface within a line, in the colour of a number.
    pub(super) fn band(&mut self, line: usize, around: &[(f64, f64)]) {
        let (class, path) = (line % COLOURS, path(around));
        let _ =
            writeln!(self.text, "<path class=\"f{class}\" fill-opacity=\"0.16\" d=\"{path}Z\"/>");
    }

    /// A dot.
    pub(super) fn dot(&mut self, class: &str, radius: f64, opacity: f64, at: (f64, f64)) {
        let (x, y) = (number(at.0), number(at.1));
        let _ = writeln!(
            self.text,
            "<circle class=\"{class}\" fill-opacity=\"{opacity}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"
        );
    }

    /// A bar, see-through enough for what is drawn on it.
    pub(super) fn bar(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(number);
        let _ = writeln!(
            self.text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"2\" fill-opacity=\"0.6\"/>"
        );
    }

    /// A text on one line; `anchor` is `start`, `middle` or `end`.
    pub(super) fn text(&mut self, class: &str, anchor: &str, at: (f64, f64), text: &str) {
        let (x, y, text) = (number(at.0), number(at.1), escaped(text));
        let _ = writeln!(
            self.text,
            "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    }

    /// A heading.
    pub(super) fn heading(&mut self, at: (f64, f64), text: &str) {
        let (x, y, text) = (number(at.0), number(at.1), escaped(text));
        let _ = writeln!(
            self.text,
            "<text class=\"text\" font-size=\"16\" font-weight=\"600\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    }

    /// A text and, behind it and less visible, another.
    pub(super) fn text_and(&mut self, at: (f64, f64), text: &str, more: &str) {
        let (x, y, text, more) = (number(at.0), number(at.1), escaped(text), escaped(more));
        let _ = writeln!(
            self.text,
            "<text class=\"text\" x=\"{x}\" y=\"{y}\">{text}<tspan class=\"muted\" dx=\"7\">{more}</tspan></text>"
        );
    }
}

/// About how wide a text is.
pub(super) fn width(text: &str) -> f64 {
    text.width() as f64 * SIZE * 0.57
}

fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        let _ = write!(path, "{}{} {}", if i == 0 { 'M' } else { 'L' }, number(x), number(y));
    }
    path
}

/// A length to a hundredth of a pixel, without needless digits.
fn number(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// A text as it stands in XML, which has no control characters.
fn escaped(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
