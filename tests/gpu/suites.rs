//! Other people's tests, in the folder that `HARD_SIGMOID_SUITES` names. `tests/suites/cases.py` writes it, since their tests are
//! in Python or tables of numbers.
//!
//! Opt-in, because it needs the folder: `./test.sh suites`.

use crate::cases::{Gpu, separate};
use hard_sigmoid::{Op, Parameters, Scalar, bf16, f16};
use std::{env, fmt::Debug, fmt::Write, fs, path::Path};

/// The values of a suite that one operation computes in one type: a line of the index.
struct Case<'a> {
    file: &'a str,
    op: Op,
    dtype: &'a str,
    values: usize,
    /// How many have other bits on the CPU path than the suite expects.
    differing: usize,
}

impl<'a> Case<'a> {
    fn parse(line: &'a str) -> Self {
        let fields: Vec<_> = line.split('\t').collect();
        let [file, operation, definition, dtype, values, differing] = fields[..] else {
            panic!("the index needs six fields between tabs, not {line:?}");
        };
        let parameters = Parameters {
            definition: Some(definition.parse().unwrap()),
            ..Default::default()
        };
        Self {
            file,
            op: Op::new(operation, &parameters).unwrap(),
            dtype,
            values: values.parse().unwrap(),
            differing: differing.parse().unwrap(),
        }
    }

    /// Returns for how many values the kernel has other bits than the suite expects.
    fn run<T: Scalar + Debug>(&self, gpu: &Gpu, folder: &Path) -> usize {
        let read = |part: &str| {
            let path = folder.join(format!("{}.{part}", self.file));
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let values: Vec<T> = bytemuck::pod_collect_to_vec(&bytes);
            assert_eq!(values.len(), self.values, "{}", path.display());
            values
        };
        let [x, mut expected] = ["x", "expected"].map(read);
        let second = if self.op.inputs().len() == 2 {
            read("g")
        } else {
            x.clone()
        };
        let (case, data) = (separate(self.op), [&x[..], &second, &second]);
        // Whatever the suite expects, the kernel has the CPU path's bits.
        gpu.check(&case, data, 0);
        let [results] = &gpu.results(&case, data, 0)[..] else {
            panic!("{} has more than one result", self.op.name());
        };
        let differing = |expected: &[T]| (0..self.values).filter(|&i| !same(results[i], expected[i])).count();
        let count = differing(&expected);
        assert_eq!(
            count, self.differing,
            "{}: others differ than on the CPU path",
            self.file
        );
        // A wrong bit in what is expected has to show.
        let right = (0..self.values).find(|&i| same(results[i], expected[i]) && !expected[i].to_f32().is_nan());
        bytemuck::bytes_of_mut(&mut expected[right.expect("a value is as expected")])[0] ^= 1;
        assert_eq!(differing(&expected), count + 1, "{}: a wrong bit isn't seen", self.file);
        count
    }
}

/// Whether all bits are the same. A NaN is as good as any other, since PyTorch's vector code has one of its own.
fn same<T: Scalar>(a: T, b: T) -> bool {
    bytemuck::bytes_of(&a) == bytemuck::bytes_of(&b) || a.to_f32().is_nan() && b.to_f32().is_nan()
}

pub fn run(adapter: &wgpu::Adapter) {
    let [folder, report] =
        ["HARD_SIGMOID_SUITES", "HARD_SIGMOID_REPORT"].map(|name| env::var(name).expect("./test.sh suites sets it"));
    let folder = Path::new(&folder);
    let gpu = Gpu::new(adapter, |_| ());
    let info = adapter.get_info();
    let mut text = format!(
        "{} ({:?}, {} {})\n",
        info.name, info.backend, info.driver, info.driver_info
    );
    let index = fs::read_to_string(folder.join("index.tsv")).unwrap();
    assert!(!index.is_empty(), "no cases");
    for case in index.lines().map(Case::parse) {
        let differing = match case.dtype {
            "float32" => case.run::<f32>(&gpu, folder),
            "float16" => case.run::<f16>(&gpu, folder),
            "bfloat16" => case.run::<bf16>(&gpu, folder),
            other => panic!("no type is called {other}"),
        };
        writeln!(text, "{}\t{}\t{differing}", case.file, case.values).unwrap();
    }
    fs::write(report, text).unwrap();
}
