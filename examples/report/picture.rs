//! The distribution of x under the curves.

use crate::theme::Theme;
use hard_sigmoid::HardSigmoid;
use plotters::prelude::*;
use std::error::Error;

const BINS: usize = 80;
const CURVES: [(HardSigmoid, &str); 4] = [
    (HardSigmoid::KERAS, "keras, onnx"),
    (HardSigmoid::COURBARIAUX, "courbariaux"),
    (HardSigmoid::TANGENT, "tangent"),
    (HardSigmoid::PYTORCH, "pytorch, jax"),
];

/// Bars of shares; the outermost hold what is farther out.
pub fn distribution(theme: &Theme, x: &[f32]) -> Result<String, Box<dyn Error>> {
    let largest = x
        .iter()
        .filter(|x| x.is_finite())
        .fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // All kinks are seen, and a few far numbers don't make a line of the rest.
    let end = f64::from(largest).clamp(4.0, 10.0);
    let width = 2.0 * end / BINS as f64;
    let mut counts = [0_usize; BINS];
    for &x in x.iter().filter(|x| !x.is_nan()) {
        let bin = ((f64::from(x) + end) / width).floor().clamp(0.0, (BINS - 1) as f64);
        counts[bin as usize] += 1;
    }
    let tallest = *counts.iter().max().expect("there are bins") as f64;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (860, 460)).into_drawing_area();
    root.fill(&theme.back)?;
    let text = |size: i32, colour: RGBColor| ("sans-serif", size).into_font().color(&colour);
    let mut chart = ChartBuilder::on(&root)
        .caption("The distribution of x under the curves", text(20, theme.ink))
        .margin(14)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(-end..end, -0.02..1.04)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme.line)
        .axis_style(theme.soft)
        .label_style(text(14, theme.soft))
        .axis_desc_style(text(15, theme.soft))
        .x_desc("x")
        .draw()?;
    chart.draw_series(counts.iter().enumerate().map(|(i, &count)| {
        let left = -end + i as f64 * width;
        let height = count as f64 / tallest;
        Rectangle::new([(left, 0.0), (left + width, height)], theme.soft.mix(0.45).filled())
    }))?;
    let logistic = (0..=80).map(|i| f64::from(i) / 40.0 - 1.0).map(|x| x * end);
    let logistic = logistic.map(|x| (x, 1.0 / (1.0 + (-x).exp())));
    let style = theme.logistic.stroke_width(3);
    chart
        .draw_series(LineSeries::new(logistic, style))?
        .label("logistic sigmoid")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], style));
    for ((definition, name), colour) in CURVES.into_iter().zip(theme.colours) {
        let (low, high) = definition.kinks().expect("no preset is constant");
        let bends = [-end as f32, low, high, end as f32];
        let points = bends.map(|x| (f64::from(x), f64::from(definition.forward(x))));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .legend_area_size(40)
        .margin(12)
        .background_style(theme.back.mix(0.85))
        .label_font(text(15, theme.ink))
        .draw()?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(svg)
}
