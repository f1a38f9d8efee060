//! Each picture as the text of an SVG.

use crate::{Result, shared::outline};
use hard_sigmoid::{HardSigmoid, KinkRule};
use hard_sigmoid_cli::curves::{CURVES, Chart, drawn, logistic, px, stroke, text, theme::Theme};
use plotters::{
    prelude::*,
    style::{
        TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

pub type Picture = fn(&Theme) -> Result<String>;
pub const ALL: [(&str, Picture); 4] = [
    ("curves", curves),
    ("gradients", gradients),
    ("kinks", kinks),
    ("roundings", roundings),
];

fn centred(size: i32, colour: RGBColor) -> TextStyle<'static> {
    text(size, colour).pos(Pos::new(HPos::Center, VPos::Center))
}

fn mono(size: i32, colour: RGBColor) -> TextStyle<'static> {
    let style: TextStyle = ("monospace", px(size)).into_font().color(&colour);
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

fn curves(theme: &Theme) -> Result<String> {
    let chart = Chart {
        caption: "Eight names, four curves, none of them the logistic sigmoid".into(),
        end: 4.0,
        top: 1.0,
        of_logistic: logistic,
        of: HardSigmoid::forward,
        bars: vec![],
    };
    chart.draw(theme)
}

fn gradients(theme: &Theme) -> Result<String> {
    let chart = Chart {
        caption: "Their gradients: constant, then nothing".into(),
        end: 4.0,
        top: 0.6,
        of_logistic: |x| logistic(x) * (1.0 - logistic(x)),
        of: |definition, x| definition.backward(x, 1.0),
        bars: vec![],
    };
    chart.draw(theme)
}

/// How many neighbouring numbers are shown on each side of a kink.
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
        let (title, rest) = root.split_vertically(px(46));
        let heading = centred(20, theme.ink);
        title.draw(&Text::new(
            "The gradient for g = 1 at the nine f32 numbers around the upper kink",
            (px(430), px(26)),
            heading,
        ))?;
        for (area, preset) in rest
            .split_evenly((HardSigmoid::PRESETS.len().div_ceil(3), 3))
            .iter()
            .zip(HardSigmoid::PRESETS)
        {
            let (definition, colour) = (preset.definition, theme.colours[colour_of(preset.definition)]);
            let (_, kink) = definition.kinks().expect("no preset is constant");
            let number = |steps: i32| f32::from_bits(kink.to_bits().wrapping_add_signed(steps));
            let rule = match definition.kink_rule() {
                KinkRule::Inclusive => "passes at the kink".into(),
                KinkRule::Strict => "nothing at the kink".into(),
                KinkRule::Half => "half of it at the kink".into(),
                other => other.to_string(),
            };
            let mut chart = ChartBuilder::on(area)
                .caption(format!("{}: {rule}", preset.name), text(16, theme.ink))
                .margin(px(10))
                .x_label_area_size(px(40))
                .y_label_area_size(px(44))
                .build_cartesian_2d(-4.6..4.6, -0.06..0.7)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(stroke(theme.line, 1))
                .axis_style(stroke(theme.soft, 1))
                .set_all_tick_mark_size(px(5))
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
            chart.draw_series([PathElement::new(
                [(0.0, -0.06), (0.0, 0.7)],
                stroke(theme.soft.mix(0.5), 1),
            )])?;
            for steps in -BESIDE..=BESIDE {
                let dx = definition.backward(number(steps), 1.0);
                let at = (f64::from(steps), f64::from(dx));
                chart.draw_series([PathElement::new([(at.0, 0.0), at], stroke(colour, 2))])?;
                let filled = if dx > 0.0 { colour.filled() } else { theme.back.filled() };
                chart.draw_series([Circle::new(at, px(6), filled)])?;
                chart.draw_series([Circle::new(at, px(6), stroke(colour, 2))])?;
            }
        }
        Ok(())
    })
}

/// The 32 bits of definitions that are the same function on paper.
fn roundings(theme: &Theme) -> Result<String> {
    let sixth = HardSigmoid::affine(1.0 / 6.0, 0.5, KinkRule::Strict)?;
    let rows = [
        ("(x + 3) / 6", HardSigmoid::PYTORCH, "PyTorch on the CPU"),
        ("(x + 3) · (1/6)", HardSigmoid::JAX, "JAX, PyTorch on CUDA"),
        ("x · (1/6) + 0.5", sixth, "exported to ONNX"),
    ];
    const CELL: i32 = 15;
    const LEFT: i32 = 300;
    drawn(theme, (860, 470), |root| {
        let heading = "One function on paper, three in bits: y as f32, where a bit differs from PyTorch's in colour";
        root.draw(&Text::new(heading, (px(430), px(26)), centred(18, theme.ink)))?;
        let mut top = 62;
        for x in [-2.999_999_8_f32, -2.7, 0.5, 2.2] {
            root.draw(&Text::new(format!("x = {x}"), (px(20), px(top)), mono(15, theme.ink)))?;
            let reference = rows[0].1.forward(x).to_bits();
            for (i, (formula, definition, who)) in rows.into_iter().enumerate() {
                let y = top + 20 + 22 * i as i32;
                let value = definition.forward(x);
                root.draw(&Text::new(formula, (px(36), px(y)), mono(13, theme.soft)))?;
                root.draw(&Text::new(
                    who,
                    (px(164), px(y)),
                    text(12, theme.soft).pos(Pos::new(HPos::Left, VPos::Center)),
                ))?;
                for bit in 0..32 {
                    let is_set = value.to_bits() >> (31 - bit) & 1 == 1;
                    let differs = (value.to_bits() ^ reference) >> (31 - bit) & 1 == 1;
                    // Gaps after sign and exponent.
                    let gap = 4 * i32::from(bit > 0) + 4 * i32::from(bit > 8);
                    let left = LEFT + CELL * bit + gap;
                    let corners = [(px(left), px(y - 8)), (px(left + CELL - 2), px(y + 8))];
                    let colour = if differs { theme.colours[1] } else { theme.soft };
                    if is_set {
                        root.draw(&Rectangle::new(corners, colour.filled()))?;
                    } else {
                        root.draw(&outline(corners, stroke(colour, if differs { 2 } else { 1 })))?;
                    }
                }
            }
            top += 100;
        }
        for (name, bit) in [("sign and exponent", 0), ("fraction", 9)] {
            let left = LEFT + CELL * bit + 4 * i32::from(bit > 0);
            root.draw(&Text::new(
                name,
                (px(left), px(460)),
                text(12, theme.soft).pos(Pos::new(HPos::Left, VPos::Center)),
            ))?;
        }
        Ok(())
    })
}
