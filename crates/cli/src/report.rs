//! What each hard sigmoid would do to a model's data: which shares it cuts off, and how many gradients die.

use crate::{
    curves::{Chart, logistic, png::Png, theme},
    npy::{self, Numbers},
    out::Out,
    outcome::Outcome,
    output::{Output, check_inputs},
    paths::extension,
};
use clap::{Args, ValueHint};
use hard_sigmoid::{HardSigmoid, Preset, Region};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Shows what each preset, or its hard swish, would do to x, as a table and a picture.
///
/// low, high: the shares of x below and above the linear part of the hard sigmoid, where its gradient is 0. linear: the share where the
/// gradient passes. NaN is in none of them. A hard swish has the gradient 0 in the low share alone; in the high one y is x. at kinks: the
/// number of elements exactly there. from logistic: the mean distance of y from the logistic sigmoid of x, and from SiLU that of a hard swish
/// from x times it, over all x where both are numbers. stuck: the number of features whose gradient is 0 for every element. Features lie along
/// the last axis, or along --axis; x of one dimension has none unless --axis is given. The mean and the standard deviation are those of the
/// finite elements. The picture has the hard sigmoids.
#[derive(Args)]
#[command(after_help = AFTER)]
pub struct Arguments {
    /// x. By default the pre-activations of a network trained on handwritten digits, which are in the project's folder
    #[arg(value_hint = ValueHint::FilePath)]
    input: Option<PathBuf>,
    /// forward, the hard sigmoid itself, or hard_swish
    #[arg(long, value_parser = ["forward", "hard_swish"], default_value = "forward", value_name = "OPERATION")]
    op: String,
    /// Draws the distribution of x under the curves
    #[arg(long, value_hint = ValueHint::FilePath, value_name = "FILE.svg|FILE.png")]
    output: Option<PathBuf>,
    /// Lets --output be the input
    #[arg(long, requires = "output")]
    overwrite: bool,
    /// The axis of the features; a negative one counts from the last
    #[arg(long, value_hint = ValueHint::Other, allow_negative_numbers = true)]
    axis: Option<i64>,
    /// Prints JSON; README.md describes it
    #[arg(long)]
    json: bool,
    /// Background of the picture
    #[arg(long, requires = "output", default_value = "light", value_parser = ["light", "dark"], value_name = "THEME")]
    theme: String,
}

const AFTER: &str = "\
Examples:
  hard-sigmoid report x.npy
  hard-sigmoid report x.npy --op hard_swish
  hard-sigmoid report x.npy --axis 0 --output report.svg
  hard-sigmoid report x.npy --output report.png --theme dark
  hard-sigmoid report --json weights.safetensors:layer.x

Exit status:
  0  the table was printed
  2  the input is bad";

pub fn run(arguments: &Arguments, out: &mut Out) -> Outcome {
    let input = match &arguments.input {
        Some(path) => path.clone(),
        None => npy::shipped("digits.x.npy")?,
    };
    let Numbers {
        values: x,
        shape,
        element,
    } = npy::numbers(&input)?;
    let x = x.singles();
    if x.is_empty() {
        return Err(format!("{}: there are no elements", input.display()).into());
    }
    // An output that can't be written is reported before anything is printed.
    let format = arguments.output.as_deref().map(Format::of).transpose()?;
    if let (Some(output), false) = (&arguments.output, arguments.overwrite) {
        check_inputs(output, [&input])?;
    }
    let output = arguments.output.as_deref().map(Output::create).transpose()?;
    let features = Features::along(arguments.axis, &shape).map_err(|error| format!("{}: {error}", input.display()))?;
    let mut out = Output::beside(output.as_ref(), out);
    let finite: Vec<f64> = x.iter().filter(|x| x.is_finite()).map(|&x| x.into()).collect();
    let mean = finite.iter().sum::<f64>() / finite.len() as f64;
    let deviation = (finite.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / finite.len() as f64).sqrt();
    let others = x.len() - finite.len();
    let function = match &*arguments.op {
        "hard_swish" => HARD_SWISH,
        _ => FORWARD,
    };
    let row = |preset: &Preset| (preset.name, Row::of(preset.definition, function, &x, features));
    let rows: Vec<_> = HardSigmoid::PRESETS.iter().map(row).collect();
    if arguments.json {
        let rows: Vec<_> = rows.iter().map(|(name, row)| row.json(name, function)).collect();
        let json = json!({
            "operation": arguments.op,
            "elements": x.len(),
            "dtype": element.to_string(),
            "shape": shape,
            "mean": Some(mean).filter(|mean| mean.is_finite()),
            "standard_deviation": Some(deviation).filter(|deviation| deviation.is_finite()),
            "not_finite": others,
            "features": features.map(|features| features.count),
            "definitions": rows,
        });
        writeln!(out, "{json:#}")?;
    } else {
        writeln!(out, "{} {element} elements, shape {}", x.len(), npy::shown(&shape))?;
        writeln!(
            out,
            "mean {}, standard deviation {}, not finite {others}\n",
            short(mean),
            short(deviation)
        )?;
        let stuck = if features.is_some() { "    stuck" } else { "" };
        let from = format!("from {}", function.smooth_name);
        writeln!(
            out,
            "definition        low   linear     high   at kinks {from:>15}{stuck}"
        )?;
        for (name, row) in &rows {
            let share = |count: usize| 100.0 * count as f64 / x.len() as f64;
            let stuck = features.map_or(String::new(), |features| {
                format!(" {:>8}", format!("{}/{}", row.stuck, features.count))
            });
            writeln!(
                out,
                "{name:<12} {:>7.1}% {:>7.1}% {:>7.1}% {:>10} {:>15.4}{stuck}",
                share(row.low),
                share(row.linear),
                share(row.high),
                row.at_kinks,
                row.from_smooth,
            )?;
        }
    }
    if let (Some(path), Some(format), Some(mut output)) = (&arguments.output, format, output) {
        let theme = [theme::LIGHT, theme::DARK]
            .into_iter()
            .find(|theme| theme.name == arguments.theme);
        let svg = distribution(&x).draw(&theme.expect("clap allows no other"));
        let svg = svg.map_err(|error| error.to_string())?;
        match format {
            Format::Svg => output.write(svg.as_bytes())?,
            Format::Png(png) => output.write(&png.draw(&svg).map_err(|error| error.to_string())?)?,
        }
        output.finish()?;
        if !arguments.json {
            writeln!(out, "\ndistribution under the curves: {}", path.display())?;
        }
    }
    Ok(true)
}

/// A number in a few characters, however small or large it is.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 | 1e-3..1e6 => format!("{value:.3}"),
        _ => format!("{value:.3e}"),
    }
}

/// What a picture is written as.
enum Format {
    Svg,
    Png(Png),
}

impl Format {
    /// The format that a path names. A device, a pipe and standard output take SVG.
    fn of(path: &Path) -> Result<Self, String> {
        match extension(path).as_deref() {
            None | Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png(Png::new().map_err(|error| error.to_string())?)),
            Some(_) => Err(format!("{}: a picture is a .svg or a .png file", path.display())),
        }
    }
}

/// Positions along an axis: `count` of them, each `inner` elements long.
#[derive(Clone, Copy)]
struct Features {
    count: usize,
    inner: usize,
}

impl Features {
    /// The features of an array. There are none in an array of one dimension, unless its axis is named.
    fn along(axis: Option<i64>, shape: &[u64]) -> Result<Option<Self>, String> {
        let axes = shape.len() as i64;
        let axis = match axis {
            None if axes < 2 => return Ok(None),
            None => axes - 1,
            Some(axis) if (-axes..axes).contains(&axis) => axis.rem_euclid(axes),
            Some(axis) => return Err(format!("there is no axis {axis} in shape {}", npy::shown(shape))),
        };
        let after = &shape[axis as usize + 1..];
        Ok(Some(Self {
            count: shape[axis as usize] as usize,
            inner: after.iter().product::<u64>() as usize,
        }))
    }
}

/// What a report counts of.
#[derive(Clone, Copy)]
struct Function {
    of: fn(HardSigmoid, f32) -> f32,
    /// The function that it stands in for.
    smooth: fn(f64) -> f64,
    smooth_name: &'static str,
    /// The key of the mean distance from it.
    key: &'static str,
    /// Whether no gradient passes there.
    is_dead: fn(Option<Region>) -> bool,
}

const FORWARD: Function = Function {
    of: HardSigmoid::forward,
    smooth: logistic,
    smooth_name: "logistic",
    key: "from_logistic",
    is_dead: |region| region != Some(Region::Linear),
};

const HARD_SWISH: Function = Function {
    of: HardSigmoid::hard_swish,
    smooth: |x| x * logistic(x),
    smooth_name: "SiLU",
    key: "from_silu",
    is_dead: |region| region == Some(Region::Low),
};

struct Row {
    low: usize,
    linear: usize,
    high: usize,
    at_kinks: usize,
    from_smooth: f64,
    stuck: usize,
}

impl Row {
    fn of(definition: HardSigmoid, function: Function, x: &[f32], features: Option<Features>) -> Self {
        let count = |region| x.iter().filter(|&&x| definition.region(x) == Some(region)).count();
        let (low, high) = definition.kinks().expect("no preset is constant");
        let distance = |&x: &f32| f64::from((function.of)(definition, x)) - (function.smooth)(x.into());
        let distances = x.iter().map(distance).filter(|distance| !distance.is_nan());
        let (sum, compared) = distances.fold((0.0, 0_u64), |(sum, count), d| (sum + d.abs(), count + 1));
        let Features { count: all, inner } = features.unwrap_or(Features { count: 0, inner: 1 });
        let mut is_stuck = vec![true; all];
        for (i, &x) in x.iter().enumerate().filter(|_| all > 0) {
            is_stuck[i / inner % all] &= (function.is_dead)(definition.region(x));
        }
        Self {
            low: count(Region::Low),
            linear: count(Region::Linear),
            high: count(Region::High),
            at_kinks: x.iter().filter(|&&x| x == low || x == high).count(),
            from_smooth: sum / compared as f64,
            stuck: is_stuck.iter().filter(|&&stuck| stuck).count(),
        }
    }

    fn json(&self, name: &str, function: Function) -> serde_json::Value {
        json!({
            "name": name,
            "low": self.low,
            "linear": self.linear,
            "high": self.high,
            "at_kinks": self.at_kinks,
            (function.key): Some(self.from_smooth).filter(|mean| mean.is_finite()),
            "stuck": self.stuck,
        })
    }
}

const BINS: usize = 80;

/// The shares of x, the largest as high as 1, under the curves. The outermost bars hold what is farther out.
fn distribution(x: &[f32]) -> Chart {
    let finite = x.iter().filter(|x| x.is_finite());
    let largest = finite.fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // All kinks are in the picture, and outliers don't squeeze the rest into a line.
    let end = f64::from(largest).clamp(4.0, 10.0);
    let width = 2.0 * end / BINS as f64;
    let beyond = x.iter().filter(|&&x| f64::from(x.abs()) > end).count();
    let caption = match beyond {
        0 => "The distribution of x under the curves".into(),
        _ => format!("The distribution of x under the curves; {beyond} numbers lie beyond, in the outermost bars"),
    };
    let mut counts = [0_usize; BINS];
    for &x in x.iter().filter(|x| !x.is_nan()) {
        let bin = ((f64::from(x) + end) / width).floor().clamp(0.0, (BINS - 1) as f64);
        counts[bin as usize] += 1;
    }
    let tallest = counts.into_iter().max().unwrap_or(0).max(1);
    let bar = |(i, count): (usize, usize)| {
        let left = -end + i as f64 * width;
        (left, left + width, count as f64 / tallest as f64)
    };
    Chart {
        caption,
        end,
        top: 1.0,
        of_logistic: logistic,
        of: HardSigmoid::forward,
        bars: counts.into_iter().enumerate().map(bar).collect(),
    }
}
