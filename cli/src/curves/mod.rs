//! The curves of all presets in one chart.

pub mod theme;

use hard_sigmoid::HardSigmoid;
use plotters::{coord::Shift, element::DashedPathElement, prelude::*, style::TextStyle};
use std::error::Error;
use theme::Theme;

/// A curve that can be told apart from the others at the scale of a chart.
pub struct Curve {
    pub definition: HardSigmoid,
    name: &'static str,
    /// Length and gap, or a whole line.
    dashes: Option<(i32, i32)>,
}

pub const CURVES: [Curve; 4] = {
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

pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub fn text(size: i32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour)
}

/// What a chart shows: a function of each definition over the same of the logistic sigmoid.
pub struct Chart<'a> {
    pub caption: &'a str,
    /// x is between this and minus this.
    pub end: f64,
    /// The largest y.
    pub top: f64,
    pub of_logistic: fn(f64) -> f64,
    pub of: fn(HardSigmoid, f32) -> f32,
    /// Bars behind the curves: left and right end, and height.
    pub bars: Vec<(f64, f64, f64)>,
}

impl Chart<'_> {
    pub fn draw(&self, theme: &Theme) -> Result<String, Box<dyn Error>> {
        drawn(theme, (860, 460), |root| self.draw_into(theme, root))
    }

    fn draw_into(&self, theme: &Theme, root: &Area) -> Result<(), Box<dyn Error>> {
        let Self { end, top, .. } = *self;
        let mut chart = ChartBuilder::on(root)
            .caption(self.caption, text(20, theme.ink))
            .margin(14)
            .x_label_area_size(34)
            .y_label_area_size(48)
            .build_cartesian_2d(-end..end, -0.04 * top..1.04 * top)?;
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
        let bar =
            |&(left, right, height)| Rectangle::new([(left, 0.0), (right, height)], theme.soft.mix(0.35).filled());
        chart.draw_series(self.bars.iter().map(bar))?;
        let points = (-20..=20).map(|i| end * f64::from(i) / 20.0);
        let points = points.map(|x| (x, (self.of_logistic)(x)));
        let style = theme.logistic.stroke_width(5);
        chart
            .draw_series(LineSeries::new(points, theme.logistic.mix(0.55).stroke_width(6)))?
            .label("logistic sigmoid")
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 34, y)], style));
        for (curve, colour) in CURVES.into_iter().zip(theme.colours) {
            let (low, high) = curve.definition.kinks().expect("no preset is constant");
            // Straight lines are drawn from end to end, so each kink is seen from both sides.
            let bends = [
                -end as f32,
                low - 1e-5,
                low + 1e-5,
                high - 1e-5,
                high + 1e-5,
                end as f32,
            ];
            let points = bends.map(|x| (f64::from(x), (self.of)(curve.definition, x).into()));
            let line = colour.stroke_width(3);
            let series = match curve.dashes {
                None => chart.draw_series(LineSeries::new(points, line))?,
                Some((size, gap)) => chart.draw_series(DashedLineSeries::new(points, size, gap, line))?,
            };
            let (size, gap) = curve.dashes.unwrap_or((34, 0));
            series.label(curve.name).legend(move |(x, y)| {
                let points = [(x, y), (x + 34, y)];
                DashedPathElement::new(points, size, gap, line).into_dyn()
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
    }
}

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The text of an SVG.
pub fn drawn(
    theme: &Theme,
    size: (u32, u32),
    draw: impl FnOnce(&Area) -> Result<(), Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&theme.back)?;
    draw(&root)?;
    root.present()?;
    drop(root);
    Ok(svg)
}
