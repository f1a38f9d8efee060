//! A picture of stochastic binarization: p, single draws, and the mean of many draws, which converges to p.

use crate::{
    Result,
    shared::{outline, write},
};
use clap::Args;
use hard_sigmoid::{
    Binarization, HardSigmoid, Unary,
    offload::{Offload, Target, block_on},
};
use hard_sigmoid_cli::{
    curves::{Area, drawn, px, stroke, text, theme},
    out::Out,
};
use indicatif::{ProgressBar, ProgressStyle};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{io::Write, path::PathBuf};

/// Draws stochastic binarization of real pre-activations, and how its mean converges
#[derive(Args)]
pub struct Arguments {
    /// Seed of the random numbers
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// How many times to draw
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    draws: u32,
    /// The hard sigmoid that gives the probability: a preset, or affine(ALPHA, BETA)
    #[arg(long, default_value = "courbariaux", value_name = "NAME")]
    probability: HardSigmoid,
    /// auto (a real GPU, else the CPU), gpu (any adapter, software ones too) or cpu
    #[arg(long, default_value_t, value_name = "auto|gpu|cpu")]
    device: Target,
    /// File to write the picture to
    #[arg(long, default_value = "binarize.svg", value_name = "PICTURE.svg")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments, out: &mut Out) -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/digits.x.npy");
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let file = npyz::NpyFile::new(&bytes[..])?;
    let width = file.shape()[1] as usize;
    let x: Vec<f32> = file.into_vec()?;
    let offload = block_on(Offload::new(arguments.device))?;
    writeln!(out, "device:  {offload}")?;

    let mut p = vec![0.0; x.len()];
    block_on(offload.unary(Unary::Forward(arguments.probability), &x, &mut p))?;
    // Draw k takes random words from k * len on, so no two draws share one.
    let draw = |k: u32| Binarization::Stochastic {
        probability: arguments.probability,
        seed: arguments.seed,
        offset: u64::from(k) * x.len() as u64,
    };
    let (panels, errors) = draw_many(&offload, &x, &p, arguments.draws, draw)?;
    let &(draws, error, expected) = errors.last().expect("at least one draw");
    writeln!(
        out,
        "mean:    after {draws} draws {error:.5} (rms) away from p; independent draws would be {expected:.5}"
    )?;
    let svg = picture(&p, width, &panels, &errors)?;
    write(&arguments.output, svg.as_bytes())?;
    writeln!(out, "picture: {}", arguments.output.display())?;
    Ok(())
}

/// A share of +1 for each element, and its name in the picture.
type Panel = (String, Vec<f32>);

/// A number of draws, the root mean square of their mean's distance from p, and the expected value of that.
type Convergence = (u32, f64, f64);

/// Draws many times. Returns what the picture shows: two single draws, the means after several numbers of draws, and their
/// distances from p.
fn draw_many(
    offload: &Offload,
    x: &[f32],
    p: &[f32],
    draws: u32,
    draw: impl Fn(u32) -> Binarization,
) -> Result<(Vec<Panel>, Vec<Convergence>)> {
    let variance = p.iter().map(|&p| f64::from(p) * f64::from(1.0 - p)).sum::<f64>() / p.len() as f64;
    let shown = [10, 100, draws];
    let mut times = vec![0_u32; x.len()];
    let mut y = vec![0.0_f32; x.len()];
    let (mut panels, mut errors) = (Vec::new(), Vec::new());
    let style = ProgressStyle::with_template("drawing [{bar:40}] {pos}/{len} {elapsed} (ETA {eta})")?;
    let bar = ProgressBar::new(draws.into()).with_style(style);
    for k in 0..draws {
        block_on(offload.unary(Unary::binarize(draw(k), 1.0)?, x, &mut y))?;
        for (times, &y) in times.iter_mut().zip(&y) {
            *times += u32::from(y > 0.0);
        }
        bar.inc(1);
        let n = k + 1;
        if n <= 2 {
            panels.push((format!("draw {n}"), y.iter().map(|&y| y.max(0.0)).collect()));
        }
        let mean = |&times: &u32| times as f32 / n as f32;
        if n > 2 && shown.contains(&n) {
            panels.push((format!("mean of {n} draws"), times.iter().map(mean).collect()));
        }
        // These are even steps on a logarithmic axis.
        let next = errors.last().map_or(1.0, |&(n, ..): &Convergence| f64::from(n) * 1.12);
        if f64::from(n) >= next || n == draws {
            let squares = times.iter().zip(p).map(|(times, p)| f64::from(mean(times) - p).powi(2));
            let error = (squares.sum::<f64>() / p.len() as f64).sqrt();
            errors.push((n, error, (variance / f64::from(n)).sqrt()));
        }
    }
    bar.finish_and_clear();
    Ok((panels, errors))
}

/// Rows (images) and columns (units) that the picture shows.
const SHOWN: usize = 32;
/// In pixels.
const PANEL: i32 = 288;
const TITLE: i32 = 28;
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// Colours from "never +1" by white to "always +1", which the colour-blind can tell apart.
const NEVER: RGBColor = RGBColor(0x2c, 0x5a, 0xa0);
const ALWAYS: RGBColor = RGBColor(0xd9, 0x6b, 0x0c);

/// The picture as the text of an SVG.
fn picture(p: &[f32], width: usize, panels: &[Panel], errors: &[Convergence]) -> Result<String> {
    let all: Vec<_> = [("p = hard sigmoid of x", p)]
        .into_iter()
        .chain(panels.iter().map(|(name, values)| (&name[..], &values[..])))
        .collect();
    let rows = all.len().div_ceil(3) as i32;
    let size = (3 * PANEL, rows * (PANEL + TITLE) + 330);
    drawn(&theme::LIGHT, size, |root| {
        let (maps, below) = root.split_vertically(px(rows * (PANEL + TITLE)));
        for (area, (name, values)) in maps.split_evenly((rows as usize, 3)).iter().zip(&all) {
            heat_map(area, name, values, width)?;
        }
        let (key, below) = below.split_vertically(px(30));
        colour_key(&key)?;
        convergence(&below, errors)
    })
}

/// The colour of a share of +1.
fn colour(share: f64) -> RGBColor {
    let (end, amount) = if share < 0.5 {
        (NEVER, 1.0 - 2.0 * share)
    } else {
        (ALWAYS, 2.0 * share - 1.0)
    };
    let mix = |end: u8| (255.0 + (f64::from(end) - 255.0) * amount).round() as u8;
    RGBColor(mix(end.0), mix(end.1), mix(end.2))
}

fn colour_key(area: &Area) -> Result<()> {
    let steps = 64;
    let left = (3 * PANEL - steps * 4) / 2;
    for i in 0..steps {
        let share = f64::from(i) / f64::from(steps - 1);
        let corners = [(px(left + 4 * i), px(4)), (px(left + 4 * i + 4), px(18))];
        area.draw(&Rectangle::new(corners, colour(share).filled()))?;
    }
    area.draw(&outline(
        [(px(left), px(4)), (px(left + 4 * steps), px(18))],
        stroke(INK.mix(0.4), 1),
    ))?;
    let before = text(13, INK).pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new("never +1", (px(left - 8), px(11)), before))?;
    let after = text(13, INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new("always +1", (px(left + 4 * steps + 8), px(11)), after))?;
    Ok(())
}

fn heat_map(area: &Area, name: &str, values: &[f32], width: usize) -> Result<()> {
    let centred = text(15, INK).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new(name.to_string(), (px(PANEL / 2), px(TITLE / 2)), centred))?;
    let cell = (PANEL as usize - 16) / SHOWN;
    let left = (PANEL as usize - cell * SHOWN) / 2;
    for (row, column) in (0..SHOWN).flat_map(|row| (0..SHOWN).map(move |column| (row, column))) {
        let at = |i: usize, j: usize| (px((left + j * cell) as i32), px(TITLE + (i * cell) as i32));
        let colour = colour(f64::from(values[row * width + column]));
        area.draw(&Rectangle::new(
            [at(row, column), at(row + 1, column + 1)],
            colour.filled(),
        ))?;
    }
    let corner = |i: usize| (px((left + i * cell) as i32), px(TITLE + (i * cell) as i32));
    area.draw(&outline([corner(0), corner(SHOWN)], stroke(INK.mix(0.4), 1)))?;
    Ok(())
}

fn convergence(area: &Area, errors: &[Convergence]) -> Result<()> {
    let (last, first) = (errors[errors.len() - 1], errors[0]);
    let range = last.2.min(last.1) * 0.8..first.2.max(first.1) * 1.3;
    let mut chart = ChartBuilder::on(area)
        .caption("distance of the mean from p (rms over all elements)", text(15, INK))
        .margin(px(12))
        .margin_right(px(24))
        .x_label_area_size(px(36))
        .y_label_area_size(px(56))
        .build_cartesian_2d((1.0..f64::from(last.0.max(2))).log_scale(), range.log_scale())?;
    chart
        .configure_mesh()
        .x_desc("draws")
        .x_label_formatter(&|n| format!("{n:.0}"))
        .y_label_formatter(&|e| format!("{e:.3}"))
        .y_labels(4)
        .x_labels(8)
        .x_max_light_lines(1)
        .y_max_light_lines(4)
        .label_style(text(13, INK))
        .light_line_style(stroke(INK.mix(0.08), 1))
        .bold_line_style(stroke(INK.mix(0.2), 1))
        .axis_style(stroke(INK, 1))
        .set_all_tick_mark_size(px(5))
        .draw()?;
    let theory = errors.iter().map(|&(n, _, expected)| (f64::from(n), expected));
    chart
        .draw_series(LineSeries::new(theory, stroke(NEVER, 2)))?
        .label("independent draws: the root of mean p(1 - p) / n")
        .legend(|(x, y)| PathElement::new([(x, y), (x + px(20), y)], stroke(NEVER, 2)));
    let measured = errors
        .iter()
        .map(|&(n, error, _)| Circle::new((f64::from(n), error), px(3), ALWAYS.filled()));
    chart
        .draw_series(measured)?
        .label("measured")
        .legend(|(x, y)| Circle::new((x + px(10), y), px(3), ALWAYS.filled()));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .legend_area_size(px(30))
        .margin(px(12))
        .background_style(TRANSPARENT)
        .label_font(text(13, INK))
        .draw()?;
    Ok(())
}
