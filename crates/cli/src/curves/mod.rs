//! The curves of all presets in one chart.

pub mod png;
pub mod theme;

use hard_sigmoid::HardSigmoid;
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
use theme::Theme;

/// A curve that can be told apart from the others at the scale of a chart.
pub struct Curve {
    /// One of the definitions that have this curve.
    pub definition: HardSigmoid,
    name: &'static str,
    /// Length and gap of the dashes in pixels; `None` for a whole line.
    dashes: Option<(i32, i32)>,
}

/// All curves of presets.
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

/// The logistic sigmoid.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The number of coordinates for each pixel. plotters draws at whole coordinates, and a pixel is too coarse for a
/// curve.
const PER_PIXEL: i32 = 10;

/// Converts pixels to coordinates.
pub fn px(pixels: i32) -> i32 {
    pixels * PER_PIXEL
}

/// The style of a line of this width in pixels.
pub fn stroke(colour: impl Color, pixels: i32) -> ShapeStyle {
    colour.stroke_width(px(pixels) as u32)
}

/// The style of text of this height in pixels.
pub fn text(pixels: i32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", px(pixels)).into_font().color(&colour)
}

/// What a chart shows: a function of each definition, over that function of the logistic sigmoid.
pub struct Chart {
    /// The text above the chart.
    pub caption: String,
    /// The largest x. The smallest is minus this.
    pub end: f64,
    /// The largest y.
    pub top: f64,
    /// The function, of the logistic sigmoid.
    pub of_logistic: fn(f64) -> f64,
    /// The function, of a definition.
    pub of: fn(HardSigmoid, f32) -> f32,
    /// Bars behind the curves: left and right end, and height.
    pub bars: Vec<(f64, f64, f64)>,
}

/// The number of points of the logistic curve, enough for it to be smooth.
const POINTS: i32 = 200;

/// Height of the caption and the legend above a chart, in pixels.
const HEADING: i32 = 124;

impl Chart {
    /// The text of an SVG.
    pub fn draw(&self, theme: &Theme) -> Result<String, Box<dyn Error>> {
        drawn(theme, (860, 540), |root| {
            let (heading, plot) = root.split_vertically(px(HEADING));
            let centred = text(22, theme.ink).pos(Pos::new(HPos::Center, VPos::Center));
            heading.draw(&Text::new(self.caption.clone(), (px(430), px(24)), centred))?;
            self.draw_legend(theme, &heading)?;
            self.draw_plot(theme, &plot)
        })
    }

    /// Draws the legend above the plot, where it hides nothing.
    fn draw_legend(&self, theme: &Theme, area: &Area) -> Result<(), Box<dyn Error>> {
        /// Length of a line's sample.
        const SAMPLE: i32 = 34;
        let mut places = (0..).map(|i| (px(56 + 400 * (i % 2)), px(54 + 26 * (i / 2))));
        let mut name = |text_of: &str| {
            let (x, y) = places.next().expect("it is endless");
            let style = text(18, theme.ink).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(text_of.to_owned(), (x + px(SAMPLE + 8), y), style))?;
            Ok::<_, Box<dyn Error>>([(x, y), (x + px(SAMPLE), y)])
        };
        area.draw(&PathElement::new(
            name("logistic sigmoid")?,
            stroke(theme.logistic.mix(0.55), 6),
        ))?;
        for (curve, colour) in CURVES.into_iter().zip(theme.colours) {
            let line = stroke(colour, 3);
            let ends = name(curve.name)?;
            match curve.dashes {
                None => area.draw(&PathElement::new(ends, line))?,
                Some((size, gap)) => area.draw(&DashedPathElement::new(ends, px(size), px(gap), line))?,
            }
        }
        if !self.bars.is_empty() {
            let [(left, y), (right, _)] = name("share of x")?;
            let corners = [(left, y - px(7)), (right, y + px(7))];
            area.draw(&Rectangle::new(corners, theme.soft.mix(0.35).filled()))?;
        }
        Ok(())
    }

    fn draw_plot(&self, theme: &Theme, area: &Area) -> Result<(), Box<dyn Error>> {
        let Self { end, top, .. } = *self;
        let mut chart = ChartBuilder::on(area)
            .margin_right(px(18))
            .margin_bottom(px(6))
            .x_label_area_size(px(48))
            .y_label_area_size(px(52))
            .build_cartesian_2d(-end..end, -0.04 * top..1.04 * top)?;
        let bar =
            |&(left, right, height)| Rectangle::new([(left, 0.0), (right, height)], theme.soft.mix(0.35).filled());
        chart.draw_series(self.bars.iter().map(bar))?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(stroke(theme.line, 1))
            .axis_style(stroke(theme.soft, 1))
            .set_all_tick_mark_size(px(5))
            .label_style(text(17, theme.soft))
            .x_desc("x")
            .axis_desc_style(text(17, theme.soft))
            .x_labels(9)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x}"))
            .draw()?;
        let points = (-POINTS..=POINTS).map(|i| end * f64::from(i) / f64::from(POINTS));
        let points = points.map(|x| (x, (self.of_logistic)(x)));
        chart.draw_series(LineSeries::new(points, stroke(theme.logistic.mix(0.55), 6)))?;
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
            let line = stroke(colour, 3);
            match curve.dashes {
                None => chart.draw_series(LineSeries::new(points, line))?,
                Some((size, gap)) => chart.draw_series(DashedLineSeries::new(points, px(size), px(gap), line))?,
            };
        }
        Ok(())
    }
}

/// A part of a picture.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The text of an SVG of this width and height in pixels.
pub fn drawn(
    theme: &Theme,
    (width, height): (i32, i32),
    draw: impl FnOnce(&Area) -> Result<(), Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let size = (px(width) as u32, px(height) as u32);
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&theme.back)?;
    draw(&root)?;
    root.present()?;
    drop(root);
    // It is shown at its size in pixels, or smaller where there is no room; its viewBox stays in coordinates.
    let in_coordinates = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let in_pixels = format!("width=\"{width}\" height=\"{height}\" style=\"max-width:100%;height:auto\"");
    Ok(svg.replacen(&in_coordinates, &in_pixels, 1))
}
