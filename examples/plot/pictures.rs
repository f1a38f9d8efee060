//! Each picture as the text of an SVG.

use crate::theme::Theme;
use hard_sigmoid::{HardSigmoid, Kinks};
use plotters::{
    coord::Shift,
    element::DashedPathElement,
    prelude::*,
    style::{
        TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use std::error::Error;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub type Picture = fn(&Theme) -> Result<String>;
pub const ALL: [(&str, Picture); 4] = [
    ("curves", curves),
    ("gradients", gradients),
    ("kinks", kinks),
    ("roundings", roundings),
];

fn drawn(theme: &Theme, size: (u32, u32), draw: impl FnOnce(&Area) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&theme.back)?;
    draw(&root)?;
    root.present()?;
    drop(root);
    Ok(svg)
}

fn text(size: i32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour)
}

fn centred(size: i32, colour: RGBColor) -> TextStyle<'static> {
    text(size, colour).pos(Pos::new(HPos::Center, VPos::Center))
}

fn mono(size: i32, colour: RGBColor) -> TextStyle<'static> {
    let style: TextStyle = ("monospace", size).into_font().color(&colour);
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

/// A curve that can be told apart at this scale, with its dashes: length and gap, or a whole line.
struct Curve {
    definition: HardSigmoid,
    name: &'static str,
    dashes: Option<(i32, i32)>,
}

const CURVES: [Curve; 4] = {
    const fn curve(definition: HardSigmoid, name: &'static str, dashes: Option<(i32, i32)>) -> Curve {
        Curve {
            definition,
            name,
            dashes,
        }
    }
    [
        curve(HardSigmoid::KERAS, "Keras 1 and 2, ONNX: 0.2x + 0.5", None),
        curve(HardSigmoid::COURBARIAUX, "Courbariaux: (x + 1) / 2", Some((12, 5))),
        curve(HardSigmoid::TANGENT, "tangent: (x + 2) / 4", Some((4, 4))),
        curve(
            HardSigmoid::PYTORCH,
            "PyTorch, JAX, Keras 3: (x + 3) / 6",
            Some((18, 4)),
        ),
    ]
};

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

const LOW: f64 = -4.0;
const HIGH: f64 = 4.0;

/// Where something bends, from both sides: straight lines are drawn from end to end.
fn bends() -> impl Iterator<Item = f32> + Clone {
    let halves = (0..=16).map(|i| (LOW + f64::from(i) / 2.0) as f32);
    halves.flat_map(|x| [x - 1e-5, x + 1e-5])
}

/// All of them over the logistic sigmoid's, with a legend.
fn over_logistic(
    theme: &Theme,
    top: f64,
    caption: &str,
    of_logistic: fn(f64) -> f64,
    of: fn(HardSigmoid, f32) -> f32,
) -> Result<String> {
    drawn(theme, (860, 460), |root| {
        let mut chart = ChartBuilder::on(root)
            .caption(caption, text(20, theme.ink))
            .margin(14)
            .x_label_area_size(34)
            .y_label_area_size(48)
            .build_cartesian_2d(LOW..HIGH, -0.04 * top..1.04 * top)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(theme.line)
            .axis_style(theme.soft)
            .label_style(text(14, theme.soft))
            .x_desc("x")
            .axis_desc_style(text(15, theme.soft))
            .x_labels(9)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x}"))
            .draw()?;
        let line = |colour: RGBColor| colour.stroke_width(3);
        let points = (0..=40).map(|i| LOW + f64::from(i) / 5.0).map(|x| (x, of_logistic(x)));
        let style = theme.logistic.stroke_width(5);
        chart
            .draw_series(LineSeries::new(points, theme.logistic.mix(0.55).stroke_width(6)))?
            .label("logistic sigmoid")
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 34, y)], style));
        for (
            Curve {
                definition,
                name,
                dashes,
            },
            colour,
        ) in CURVES.into_iter().zip(theme.colours)
        {
            let points = bends().map(|x| (f64::from(x), of(definition, x).into()));
            let series = match dashes {
                None => chart.draw_series(LineSeries::new(points, line(colour)))?,
                Some((size, gap)) => chart.draw_series(DashedLineSeries::new(points, size, gap, line(colour)))?,
            };
            let (size, gap) = dashes.unwrap_or((34, 0));
            series.label(name).legend(move |(x, y)| {
                let points = [(x, y), (x + 34, y)];
                DashedPathElement::new(points, size, gap, line(colour)).into_dyn()
            });
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .legend_area_size(44)
            .margin(12)
            .background_style(theme.back.mix(0.85))
            .label_font(text(15, theme.ink))
            .draw()?;
        Ok(())
    })
}

fn curves(theme: &Theme) -> Result<String> {
    over_logistic(
        theme,
        1.0,
        "Six names, four curves, none of them the logistic sigmoid",
        logistic,
        HardSigmoid::forward,
    )
}

fn gradients(theme: &Theme) -> Result<String> {
    let of_logistic = |x| logistic(x) * (1.0 - logistic(x));
    let of = |definition: HardSigmoid, x| definition.backward(x, 1.0);
    over_logistic(theme, 0.8, "Their gradients: constant, then nothing", of_logistic, of)
}

/// Neighbouring numbers to each side of a kink.
const BESIDE: i32 = 4;

/// The gradient at the numbers around the upper kink of each preset.
fn kinks(theme: &Theme) -> Result<String> {
    let colour_of = |definition: HardSigmoid| {
        let slope = definition.slope();
        CURVES
            .iter()
            .position(|curve| curve.definition.slope() == slope)
            .expect("each has a curve")
    };
    drawn(theme, (860, 500), |root| {
        let (title, rest) = root.split_vertically(46);
        let heading = centred(20, theme.ink);
        title.draw(&Text::new(
            "The gradient for g = 1 at the nine f32 numbers around the upper kink",
            (430, 26),
            heading,
        ))?;
        for (area, preset) in rest.split_evenly((2, 3)).iter().zip(HardSigmoid::PRESETS) {
            let (definition, colour) = (preset.definition, theme.colours[colour_of(preset.definition)]);
            let (_, kink) = definition.kinks().expect("no preset is constant");
            let number = |steps: i32| f32::from_bits(kink.to_bits().wrapping_add_signed(steps));
            let rule = match definition.kink_rule() {
                Kinks::Inclusive => "passes at the kink",
                Kinks::Strict => "nothing at the kink",
            };
            let mut chart = ChartBuilder::on(area)
                .caption(format!("{}: {rule}", preset.name), text(16, theme.ink))
                .margin(10)
                .x_label_area_size(40)
                .y_label_area_size(44)
                .build_cartesian_2d(-4.6..4.6, -0.06..0.6)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(theme.line)
                .axis_style(theme.soft)
                .label_style(text(13, theme.soft))
                .axis_desc_style(text(13, theme.soft))
                .x_desc("f32 steps from the kink")
                .x_labels(9)
                .y_labels(4)
                .x_label_formatter(&|steps| match *steps as i32 {
                    0 => format!("{kink}"),
                    steps => format!("{steps:+}"),
                })
                .draw()?;
            chart.draw_series([PathElement::new([(0.0, -0.06), (0.0, 0.6)], theme.soft.mix(0.5))])?;
            for steps in -BESIDE..=BESIDE {
                let dx = definition.backward(number(steps), 1.0);
                let at = (f64::from(steps), f64::from(dx));
                chart.draw_series([PathElement::new([(at.0, 0.0), at], colour.stroke_width(2))])?;
                let filled = if dx > 0.0 { colour.filled() } else { theme.back.filled() };
                chart.draw_series([Circle::new(at, 6, filled)])?;
                chart.draw_series([Circle::new(at, 6, colour.stroke_width(2))])?;
            }
        }
        Ok(())
    })
}

/// What is the same function on paper, by its 32 bits.
fn roundings(theme: &Theme) -> Result<String> {
    let sixth = HardSigmoid::affine(1.0 / 6.0, 0.5, Kinks::Strict)?;
    let rows = [
        ("(x + 3) / 6", HardSigmoid::PYTORCH, "PyTorch on the CPU"),
        ("(x + 3) · (1/6)", HardSigmoid::JAX, "JAX, PyTorch on CUDA"),
        ("x · (1/6) + 0.5", sixth, "exported to ONNX"),
    ];
    const CELL: i32 = 15;
    const LEFT: i32 = 300;
    drawn(theme, (860, 470), |root| {
        let heading = "One function on paper, three in bits: y as f32, where a bit differs from PyTorch's in colour";
        root.draw(&Text::new(heading, (430, 26), centred(18, theme.ink)))?;
        let mut top = 62;
        for x in [-2.999_999_8_f32, -2.7, 0.5, 2.2] {
            root.draw(&Text::new(format!("x = {x}"), (20, top), mono(15, theme.ink)))?;
            let reference = rows[0].1.forward(x).to_bits();
            for (i, (formula, definition, who)) in rows.into_iter().enumerate() {
                let y = top + 20 + 22 * i as i32;
                let value = definition.forward(x);
                root.draw(&Text::new(formula, (36, y), mono(13, theme.soft)))?;
                root.draw(&Text::new(
                    who,
                    (164, y),
                    text(12, theme.soft).pos(Pos::new(HPos::Left, VPos::Center)),
                ))?;
                for bit in 0..32 {
                    let is_set = value.to_bits() >> (31 - bit) & 1 == 1;
                    let differs = (value.to_bits() ^ reference) >> (31 - bit) & 1 == 1;
                    // Gaps behind sign and exponent.
                    let gap = 4 * i32::from(bit > 0) + 4 * i32::from(bit > 8);
                    let left = LEFT + CELL * bit + gap;
                    let corners = [(left, y - 8), (left + CELL - 2, y + 8)];
                    let colour = if differs { theme.colours[1] } else { theme.soft };
                    if is_set {
                        root.draw(&Rectangle::new(corners, colour.filled()))?;
                    } else {
                        root.draw(&Rectangle::new(
                            corners,
                            colour.stroke_width(if differs { 2 } else { 1 }),
                        ))?;
                    }
                }
            }
            top += 100;
        }
        for (name, bit) in [("sign and exponent", 0), ("fraction", 9)] {
            let left = LEFT + CELL * bit + 4 * i32::from(bit > 0);
            root.draw(&Text::new(
                name,
                (left, 460),
                text(12, theme.soft).pos(Pos::new(HPos::Left, VPos::Center)),
            ))?;
        }
        Ok(())
    })
}
