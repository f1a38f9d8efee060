/** Every hard sigmoid, on WebGPU and on the CPU. The module is ready when the import is: it awaits its WebAssembly. */

/** Float16Array, where TypeScript knows it. */
type Halves = typeof globalThis extends { Float16Array: { prototype: infer T } } ? T : never;
/** The bits of halves may lie in a Uint16Array; then `dtype` says which kind they are. */
export type Numbers = Float32Array | Halves | Uint16Array;
/** The numbers of quantized tensors, for look-ups. */
export type Bytes = Uint8Array | Int8Array;
/** The type of elements: "u8" of look-ups, whether signed or not, and the others of all other operations. */
export type DType = "f32" | "f16" | "bf16" | "u8";
/**
 * Where results go.
 * - `separate`, the default: no result lies in a buffer that holds an input.
 * - `in_place`: the first result replaces an input and has no tensor of its own. A gradient replaces `g`, and any other result
 *   the first input. Not for `backward_accumulate`.
 * - `shared`: tensors may lie in one buffer, in ranges that don't overlap.
 */
export type Placement = "separate" | "in_place" | "shared";
export type KinkRule = "strict" | "inclusive" | "half";
/** hs is the hard sigmoid. */
export type Operation =
  /** x → y = hs(x) */
  | "forward"
  /** x, g → dx, where g is the upstream gradient */
  | "backward"
  /** x, g → dx, which is added to what dx holds; `compute` and `check` take what it holds as a third input */
  | "backward_accumulate"
  /** y, g → dx */
  | "backward_from_output"
  /** x → y = x·hs(x) */
  | "hard_swish"
  /** x, g → dx */
  | "hard_swish_backward"
  /** a, b → y = a·hs(b) */
  | "gate"
  /** a, b, g → da, db */
  | "gate_backward"
  /** x → y = `scale` or -`scale`: by the sign of x, or with a `seed` drawn with the probability hs(x) */
  | "binarize"
  /** x, g → dx = g where |x| ≤ 1 (`estimator` "hard_tanh"), or g everywhere ("identity") */
  | "straight_through"
  /** x → bits: the signs of `binarize`, 32 to a word of a Uint32Array */
  | "pack"
  /** bits → y = `scale` where a bit is 1, else -`scale` */
  | "unpack"
  /** a, b → y = a·hs(b), where a has the shape [outer, `middle`, `inner`] and b [outer, `inner`], as in squeeze-and-excitation. Its gradient da is `gate_broadcast` of g and b. */
  | "gate_broadcast"
  /** a, b, g → db of `gate_broadcast`, summed in the same order everywhere. If da replaces g, the sums come first. */
  | "gate_broadcast_sums"
  /** x, table → y = table[x] on bytes, a function of one quantized tensor to another; `quantizedTable` makes the table of 256 bytes */
  | "lookup"
  /** a, b, table → y = table[256·b + a] on bytes, with the shapes of `gate_broadcast`; the table has 65,536 bytes */
  | "lookup_gate";
/** A preset's name or alias, `affine(ALPHA, BETA, RULE)`, or a HardSigmoid. */
export type Definition = HardSigmoid | string;
/** What an operation takes besides arrays. What it doesn't take is refused. Most take only a definition, which may be given as it is. */
export type Parameters =
  | Definition
  | {
      /** The hard sigmoid. For a random binarization the probability, `courbariaux` by default. */
      definition?: Definition;
      /** The seed of `binarize` and `pack`, below 2^64. With a seed, signs are drawn at random. */
      seed?: number | bigint;
      /** Where the seed's stream begins, 0 by default: a part of an array takes the offset of the whole plus its start. */
      offset?: number | bigint;
      /** The number that a plus sign stands for in `binarize` and `unpack`; 1 by default. */
      scale?: number;
      /** The gradient that `straight_through` takes; "hard_tanh" by default. */
      estimator?: "hard_tanh" | "identity";
      /** How many steps share each number of a broadcast gate's b. With channels first it is height·width. */
      middle?: number;
      /** How many elements a step has; 1 by default. With channels last it is the number of channels. */
      inner?: number;
    };

/** One hard sigmoid: its formula, the order of its roundings, and its gradient at the kinks. */
export class HardSigmoid {
  /** Throws an Error that names what exists if the text is no definition. */
  constructor(text: Definition);
  /** clamp(alpha·x + beta, 0, 1). The rule for the gradient at the kinks is `strict` unless you give one. */
  static affine(alpha: number, beta: number, kinkRule?: KinkRule): HardSigmoid;
  static readonly presets: readonly HardSigmoid[];
  /** What the constructor reads. */
  readonly text: string;
  /** The preset's name, or `affine`. */
  readonly name: string;
  readonly formula: string;
  /** The slope of the linear zone. The gradient is g times it, but with `keras3` g / 6. */
  readonly slope: number;
  /** The value at 0, before it is limited to 0 and 1. */
  readonly shift: number;
  /** The two x where the curve bends; null for a constant. */
  readonly kinks: readonly [number, number] | null;
  /** The gradient at the kinks: 0, the slope, or half of it. */
  readonly kinkRule: KinkRule;
  /** Who defines it, and the framework and version whose bits it has. */
  readonly source: string | null;
  toString(): string;
  /** y, on the CPU. */
  forward<T extends Numbers>(x: T, options?: { dtype?: DType }): T;
  /** dx from x and the upstream gradient g, on the CPU. */
  backward<T extends Numbers>(x: T, g: T, options?: { dtype?: DType }): T;
  /** dx from y instead of x, for use after a forward pass in place, on the CPU. */
  backwardFromOutput<T extends Numbers>(y: T, g: T, options?: { dtype?: DType }): T;
  /** dx plus the gradient, in a new array, on the CPU. */
  backwardAccumulate<T extends Numbers>(x: T, g: T, dx: T, options?: { dtype?: DType }): T;
  /** x times the hard sigmoid of x, on the CPU. */
  hardSwish<T extends Numbers>(x: T, options?: { dtype?: DType }): T;
  hardSwishBackward<T extends Numbers>(x: T, g: T, options?: { dtype?: DType }): T;
  /** a times the hard sigmoid of b, which has the length of a, on the CPU. `gate_broadcast` of `compute` repeats b. */
  gate<T extends Numbers>(a: T, b: T, options?: { dtype?: DType }): T;
  /** Both gradients of `gate`: da and db. */
  gateBackward<T extends Numbers>(a: T, b: T, g: T, options?: { dtype?: DType }): [da: T, db: T];
}

/**
 * Any operation on the CPU. `inputs` and results are in the order that Operation gives. Together they may take 3.5 GiB. For `unpack`,
 * `length` is the number of signs, by default all; it returns a Float32Array, or halves as the `dtype` says in a Uint16Array. A `lookup`
 * returns an array of x's kind: where the table's y has another type, read it as `new Int8Array(y.buffer)`.
 */
export function compute(operation: "pack", parameters: Parameters, inputs: Numbers[], options?: { dtype?: DType }): Uint32Array[];
export function compute(
  operation: "unpack",
  parameters: Parameters,
  inputs: Uint32Array[],
  options?: { dtype?: DType; length?: number },
): (Float32Array | Uint16Array)[];
export function compute<T extends Numbers>(
  operation: Exclude<Operation, "pack" | "unpack" | "lookup" | "lookup_gate">,
  parameters: Parameters,
  inputs: T[],
  options?: { dtype?: DType },
): T[];
/** The result has the type of the first input. */
export function compute<T extends Bytes>(
  operation: "lookup" | "lookup_gate",
  parameters: Parameters,
  inputs: [T, ...Bytes[]],
  options?: { dtype?: DType },
): T[];

/** What the numbers q of an 8-bit tensor stand for: scale·(q - zeroPoint). */
export interface Quantization {
  scale: number;
  zeroPoint: number;
  /** "u8" by default for x, and for y the type of x. */
  dtype?: "u8" | "i8";
}

/**
 * The result of a function of a quantized tensor for each of its 256 numbers: the table of `lookup`. A signed number is found by its
 * bits, and given by its bits.
 *
 * `rounding` says whose arithmetic it has; one framework's byte may be another's neighbour.
 * - `onnx`, the default: ONNX Runtime's, which computes in float32. Its HardSwish is that of `HardSigmoid.affine(1 / 6, 0.5)`.
 * - `pytorch`: PyTorch's with vectors, which whole groups of 64 elements have. The result of its hardsigmoid has the scale 1/256, and the
 *   zero point 0, or -128 of "i8".
 * - `tflite`: that of TFLite's reference kernel of HARD_SWISH, in fixed point.
 */
export function quantizedTable(options: {
  operation: "forward" | "hard_swish";
  definition: Definition;
  x: Quantization;
  y: Quantization;
  rounding?: "onnx" | "pytorch" | "tflite";
}): Uint8Array;

export interface Comparison {
  compared: number;
  /** Results with a wrong bit. */
  differing: number;
  /** Results that differ only because a subnormal counted as zero, which WGSL allows a GPU. */
  flushed: number;
  /** The first result with a wrong bit, in words; absent if there is none. */
  first?: string;
}

/** Compares the results of a GPU with the CPU path, bit for bit. `inputs` are what they were before it wrote any result. */
export function check(
  operation: Operation,
  parameters: Parameters,
  inputs: (Numbers | Bytes | Uint32Array)[],
  results: (Numbers | Bytes | Uint32Array)[],
  options?: { dtype?: DType },
): Comparison;

/** The version of the package. */
export const version: string;

/**
 * Every operation with a definition, parameters for it, and the types of elements that it takes, to test all of them: with both kinds of
 * binarization, both estimators, and broadcast gates that share each number among 3 of 2 elements, so that lengths are multiples of 6.
 */
export function operations(definition: Definition): { operation: Operation; parameters: Parameters; dtypes: DType[] }[];

export interface Identification {
  /** Which function made y: y = hs(x), or y = x·hs(x). If none did, it is `"hard_sigmoid"`. */
  function: "hard_sigmoid" | "hard_swish";
  verdict: "preset" | "one_of" | "affine" | "most" | "underdetermined" | "unknown";
  /** None, one, or several that the data can't tell apart. */
  definitions: string[];
  /** By how much y and dx may be off: 0 if the bits tell, else `atol`. `"most"` may have a larger one. */
  within: number;
  /** The elements that don't agree, at most a tenth, if the verdict is `"most"`. */
  outliers: number[];
  /** The definition that is nearest to y in the mean. */
  nearest: string;
  /** If alpha and beta were fitted within `atol`: the smallest and the largest of each with which every y can stay within it. */
  ranges: { alpha: [number, number]; beta: [number, number] } | null;
  /** The answer in words; its first line has the verdict. */
  report: string;
}

/** An array, or what readNpy returns, whose shape and order are compared too. */
export type Data = Numbers | Float64Array | Npy;

/**
 * Which hard sigmoid made y from x, and dx from g? `atol` says by how much y and dx may be off. `dtype` says which
 * halves a Uint16Array holds.
 */
export function identify(
  data: { x: Data; y: Data; g?: Data; dx?: Data },
  options?: { atol?: number; dtype?: DType },
): Identification;

/** How a definition differs from an activation. */
export interface Difference {
  definition: string;
  /** At how many of the compared x. */
  differing: number;
  /** The largest difference: 0 where the signs of zeros differ, and nothing else. */
  largest: number;
}

/** What an activation computes. There is one for each of the results that it may have. */
export interface Computed {
  /** What it is on paper, apart from roundings. */
  curve: string;
  /** Who computes it so. Empty if there is one way only. */
  computed_by: string[];
  /** The operations, in their order. */
  operations: string;
  /** How many x were compared. */
  compared: number;
  /** Who has exactly these bits: presets, or else one definition with its alpha and beta, or else none. */
  exact: string[];
  /** Who has this curve with other roundings. */
  roundings: Difference[];
  /** Presets with other curves. */
  functions: Difference[];
}

/** What the bytes of a tensor stand for. */
export interface QuantizedBytes {
  type: "u8" | "i8";
  scale: number;
  zero_point: number;
}

/** A hard sigmoid or hard swish in a model. */
export interface Activation {
  /** The name of the node or layer. */
  name: string;
  function: "hard_sigmoid" | "hard_swish";
  /** How the file writes it. */
  written: string;
  /** How often the model computes it: once in each call of its layer, and in each direction of a recurrent layer. */
  times: number;
  /** Those of a function with a name in a framework; otherwise those with exactly its bits, perhaps none. */
  definitions: string[];
  /** How its gradient differs from that of every definition. */
  gradient: string | null;
  /** Who computes another function than the file says, or what makes its bits others. */
  warning: string | null;
  /** The type in which the model computes it, though it was compared as if in float32; null if that is float32 or not known. */
  dtype: "float64" | "float16" | "bfloat16" | null;
  /** What it is in 8 bits, if it is one operator between DequantizeLinear and QuantizeLinear, or HARD_SWISH of bytes in TFLite. */
  quantized: {
    x: QuantizedBytes;
    y: QuantizedBytes;
    /** The same layer in PyTorch and TFLite: at how many of the 256 x it differs from ONNX Runtime's, or why there is none. */
    elsewhere: { framework: string; differing: number | null; largest: number | null; why: string | null }[];
  } | null;
  computed: Computed[];
}

/** What `inspect` found: what `hard-sigmoid inspect --json` prints of a file, and as `report` what it prints for people. */
export interface Model {
  format: string;
  made_by: string | null;
  activations: Activation[];
  /** How many there are of each kind. */
  totals: { function: "hard_sigmoid" | "hard_swish"; definitions: string[]; or_none: boolean; count: number }[];
  /** What the search may have missed, and where. */
  note: string | null;
  report: string;
}

/** A file's bytes, or a Blob or File, of which only what is needed is read. */
export type FileLike =
  | Uint8Array
  | ArrayBuffer
  | { readonly size: number; slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> } };

/**
 * Which hard sigmoids are in this model? It reads ONNX, Keras (.keras, .h5, JSON), TensorFlow Lite, and the model.json of TensorFlow.js. `beside` has the
 * files that lie beside an ONNX model, by the names that the model has for them. The first call loads inspect_bg.wasm.
 */
export function inspect(model: FileLike, options?: { beside?: Record<string, FileLike> }): Promise<Model>;

/** A device's limits that a plan depends on. A GPUDevice's `limits` has them. */
export interface Limits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxComputeWorkgroupStorageSize: number;
}

export interface Plan {
  /** The module, with every entry point. Its constants are in the text: a seed, a scale or the shape of a gate doesn't change it. */
  wgsl: string;
  /** The tensors in the order of their bindings, from 0 on. The uniform buffer is bound after them. */
  tensors: { name: string; type: "storage" | "read-only-storage" }[];
  /** One, or several if the device's limits ask for it; none if the length is 0. Keep their order. */
  parts: {
    /** The contents of the uniform buffer. */
    params: Uint32Array;
    /** Ranges in bytes from the start of each tensor. */
    bindings: { tensor: string; offset: number; size: number }[];
    dispatches: { entryPoint: string; workgroups: [number, number, number] }[];
  }[];
}

/**
 * What to compile, bind and dispatch for tensors of `length` elements. The limits default to WebGPU's. `length` is that of the first
 * tensor: for a broadcast gate of a; for `unpack` of y.
 */
export function plan(
  operation: Operation,
  parameters: Parameters,
  length: number,
  options?: { dtype?: DType; placement?: Placement; limits?: Limits },
): Plan;

/** The WGSL module of an operation. */
export function wgsl(
  operation: Operation,
  parameters: Parameters,
  options?: { dtype?: DType; placement?: Placement },
): string;

/** The operations that make one number of one element. */
export type ScalarOperation = Exclude<
  Operation,
  "pack" | "unpack" | "gate_broadcast" | "gate_broadcast_sums" | "lookup" | "lookup_gate"
>;
/**
 * What a function takes and returns.
 * - `f32`, the default.
 * - `f16`: the module has to begin with `enable f16;`, and the device needs the feature "shader-f16".
 * - `packed_f16`, `packed_bf16`: two halves in a `u32`, the first one in the lower half.
 */
export type NumberType = "f32" | "f16" | "packed_f16" | "packed_bf16";

/**
 * An operation as WGSL functions of numbers, for a kernel of your own: `fn hard_swish(x: f32) -> f32`. The text binds nothing, and may
 * stand anywhere in a module.
 *
 * Functions are called `hard_sigmoid`, `hard_sigmoid_backward`, `hard_sigmoid_backward_from_output`,
 * `hard_sigmoid_backward_accumulate`, `hard_swish`, `hard_swish_backward`, `hard_sigmoid_gate`, `hard_sigmoid_gate_da` and
 * `hard_sigmoid_gate_db` (both of `gate_backward`), `straight_through` and `binarize`. They take the operation's inputs in order. With a
 * seed `binarize` takes a random word too, and `binarize_random4` makes these words; the seed itself isn't in the text.
 *
 * `text` "exact", the default, has the bits of the CPU path. "short" is the shortest text, and its comment says what it may lose.
 * `prefix` is what every name begins with, such as "my_": two texts of one operation in a module need different ones.
 */
export function scalar(
  operation: ScalarOperation,
  parameters: Parameters,
  options?: { type?: NumberType; text?: "exact" | "short"; prefix?: string },
): string;

/** WebGPU's own type where TypeScript knows it, else the part of it that is used here. */
type WebGpu<Name extends string, Part> = typeof globalThis extends Record<Name, { prototype: infer T }> ? T : Part;
type Buffer = WebGpu<"GPUBuffer", { readonly size: number; readonly usage: number; destroy(): void }>;
type Device = WebGpu<"GPUDevice", { readonly limits: Limits; createBuffer(descriptor: any): any; createBindGroup(descriptor: any): any }>;
type Pass = WebGpu<"GPUComputePassEncoder", { dispatchWorkgroups(x: number, y?: number, z?: number): void }>;

/**
 * A buffer that begins with the tensor, or has it at an offset in bytes, a multiple of the device's
 * `minStorageBufferOffsetAlignment`. Halves and bytes need up to whole words of four bytes.
 */
export type Tensor = Buffer | { buffer: Buffer; offset?: number };

/** Runs plans on a GPUDevice of yours, and keeps what it compiled. It never submits. */
export class Kernels {
  constructor(device: Device);
  /**
   * Checks and binds the tensors of an operation. `tensors` has a GPUBuffer with usage STORAGE for each of `plan(…).tensors`, by
   * name, and nothing else. Throws if one is too short, not aligned, or where `placement` doesn't allow it.
   */
  prepare(
    operation: Operation,
    parameters: Parameters,
    tensors: Record<string, Tensor>,
    options: { length: number; dtype?: DType; placement?: Placement },
  ): Launch;
  /**
   * Prepares an operation, and encodes it once. For more than once, prepare it yourself: each time takes a small buffer, which
   * stays until the garbage collector finds it.
   */
  encode(
    pass: Pass,
    operation: Operation,
    parameters: Parameters,
    tensors: Record<string, Tensor>,
    options: { length: number; dtype?: DType; placement?: Placement },
  ): void;
}

/** An operation on tensors, to be encoded as often as you like. */
export interface Launch {
  encode(pass: Pass): void;
  /** Frees its parameters, once the passes that it is in are submitted. The tensors are yours. */
  destroy(): void;
}

/** A file of NumPy's. float16 and bfloat16 are given as bits. */
export type Npy = {
  shape: number[];
  /** Whether the first index changes fastest. */
  isFortran: boolean;
  /** Whether the file has its elements in big-endian order. `data` is in this machine's. */
  isBigEndian: boolean;
  /** Where the elements begin in the file, in bytes. */
  start: number;
} & (
  | { dtype: "f32"; data: Float32Array }
  | { dtype: "f64"; data: Float64Array }
  | { dtype: "f16" | "bf16"; data: Uint16Array }
);

/** Reads the bytes of a `.npy` file, big- or little-endian. uint16 are taken for the bits of bfloat16, which NumPy doesn't have. */
export function readNpy(file: Uint8Array | ArrayBuffer): Npy;
