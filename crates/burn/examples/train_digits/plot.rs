//! Plots accuracy over epochs.

use crate::Course;
use plotters::prelude::*;
use std::{error::Error, path::Path};

/// Okabe and Ito's colours, which the colour-blind can tell apart, and a grey.
const COLOURS: [RGBColor; 8] = [
    RGBColor(110, 110, 110),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

pub fn draw(path: &Path, courses: &[Course]) -> Result<(), Box<dyn Error>> {
    let epochs = courses[0].accuracies.len() as f64;
    let lowest = courses.iter().flat_map(|course| &course.accuracies).flatten();
    let lowest = lowest.fold(1.0, |low: f64, &accuracy| low.min(accuracy)).max(0.7) * 100.0;
    let area = SVGBackend::new(path, (860, 520)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Handwritten digits: test (thick) and training (thin)",
            ("sans-serif", 20),
        )
        .margin(14)
        .margin_right(30)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(1.0..epochs.max(2.0), (lowest - 1.0).floor()..100.5)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("epoch")
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|accuracy| format!("{accuracy:.0}"))
        .y_desc("accuracy, %")
        .label_style(("sans-serif", 15))
        .draw()?;
    for (course, colour) in courses.iter().zip(COLOURS.iter().cycle()) {
        for (which, width) in [(0, 1), (1, 3)] {
            let points = course.accuracies.iter().enumerate();
            let points = points.map(|(epoch, accuracy)| (epoch as f64 + 1.0, accuracy[which] * 100.0));
            let line = chart.draw_series(LineSeries::new(points, colour.stroke_width(width)))?;
            if which == 1 {
                let colour = *colour;
                line.label(&course.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3)));
            }
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(190, 190, 190))
        .label_font(("sans-serif", 15))
        .draw()?;
    area.present()?;
    Ok(())
}
