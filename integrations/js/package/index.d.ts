/** Every hard sigmoid, on WebGPU and on the CPU. The module is ready when the import is: it awaits its WebAssembly. */

/** Float16Array, where TypeScript knows it. */
type Halves = typeof globalThis extends { Float16Array: { prototype: infer T } } ? T : never;
/** The bits of halves may lie in a Uint16Array; then `dtype` says which kind they are. */
export type Numbers = Float32Array | Halves | Uint16Array;
export type DType = "f32" | "f16" | "bf16";
/**
 * Where results go: to tensors of their own, over an operand, or to tensors that may share one buffer. In place, the first
 * gradient replaces `g`, and any other result replaces the first operand.
 */
export type Placement = "separate" | "in_place" | "shared";
export type KinkRule = "strict" | "inclusive" | "half";
export type Operation =
  | "forward"
  | "backward"
  | "backward_accumulate"
  | "backward_from_output"
  | "hard_swish"
  | "hard_swish_backward"
  | "gate"
  | "gate_backward";
/** A preset's name or alias, `affine(ALPHA, BETA, RULE)`, or a HardSigmoid. */
export type Definition = HardSigmoid | string;

/** One hard sigmoid: its formula, the order of its roundings, and its gradient at the kinks. */
export class HardSigmoid {
  /** Throws an Error that names what exists if the text is no definition. */
  constructor(text: Definition);
  /** clamp(alpha·x + beta, 0, 1). */
  static affine(alpha: number, beta: number, kinkRule?: KinkRule): HardSigmoid;
  static readonly presets: HardSigmoid[];
  /** What the constructor reads. */
  readonly text: string;
  /** The preset's name, or `affine`. */
  readonly name: string;
  readonly formula: string;
  readonly slope: number;
  /** The value at 0, before it is limited to 0 and 1. */
  readonly shift: number;
  /** The two x where the curve bends; null for a constant. */
  readonly kinks: [number, number] | null;
  /** The gradient at the kinks: 0, the slope, or half of it. */
  readonly kinkRule: KinkRule;
  /** Who defines it, and the framework and version whose bits it has. */
  readonly source: string | null;
  toString(): string;
  /** y, on the CPU. */
  forward<T extends Numbers>(x: T, options?: { dtype?: DType }): T;
  /** dx from x and the upstream gradient g, on the CPU. */
  backward<T extends Numbers>(x: T, g: T, options?: { dtype?: DType }): T;
  /** x times the hard sigmoid of x, on the CPU. */
  hardSwish<T extends Numbers>(x: T, options?: { dtype?: DType }): T;
  hardSwishBackward<T extends Numbers>(x: T, g: T, options?: { dtype?: DType }): T;
}

/** Any operation on the CPU. `inputs` are in the order of `plan(…).tensors`; so are the results. */
export function compute<T extends Numbers>(
  operation: Operation,
  definition: Definition,
  inputs: T[],
  options?: { dtype?: DType },
): T[];

export interface Comparison {
  compared: number;
  /** Results with a wrong bit. */
  differing: number;
  /** Results that differ only because a subnormal counted as zero, which WGSL allows a GPU. */
  flushed: number;
}

/** Compares the results of a GPU with the CPU path, bit for bit. */
export function check(
  operation: Operation,
  definition: Definition,
  inputs: Numbers[],
  results: Numbers[],
  options?: { dtype?: DType },
): Comparison;

export interface Identification {
  verdict: "preset" | "one_of" | "affine" | "underdetermined" | "unknown";
  /** None, one, or several that the data can't tell apart. */
  definitions: string[];
  /** The tolerance that was needed; 0 if every bit agrees. */
  within: number;
  nearest: string;
  /** The answer in words; its first line has the verdict. */
  report: string;
}

/** An array, or what readNpy returns. float64 is rounded to float32. */
export type Data = Numbers | Float64Array | Npy;

/** Which hard sigmoid made y from x, and dx from g? `atol` says by how much y and dx may be off. */
export function identify(
  data: { x: Data; y: Data; g?: Data; dx?: Data },
  options?: { atol?: number; dtype?: DType },
): Identification;

/** A device's limits that a plan depends on. A GPUDevice's `limits` has them. */
export interface Limits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

export interface Plan {
  /** The module, with every entry point. Definitions of one formula have equal texts, which need compiling only once. */
  wgsl: string;
  /** The tensors in the order of their bindings, from 0 on. The uniform buffer is bound after them. */
  tensors: { name: string; type: "storage" | "read-only-storage" }[];
  /** One, or several if the device's limits ask for it; none if the tensor is empty. Keep their order. */
  parts: {
    /** The contents of the uniform buffer. */
    params: Uint32Array;
    /** Ranges in bytes from the start of each tensor. */
    bindings: { tensor: string; offset: number; size: number }[];
    dispatches: { entryPoint: string; workgroups: [number, number, number] }[];
  }[];
}

/** What to compile, bind and dispatch for tensors of `length` elements. The limits default to WebGPU's. */
export function plan(
  operation: Operation,
  definition: Definition,
  length: number,
  options?: { dtype?: DType; placement?: Placement; limits?: Limits },
): Plan;

/** The WGSL module of an operation. */
export function wgsl(
  operation: Operation,
  definition: Definition,
  options?: { dtype?: DType; placement?: Placement },
): string;

/** WGSL functions of a definition, to be called from a kernel of your own. */
export function wgslFunctions(definition: Definition, options?: { dtype?: DType }): string;

/** A buffer that begins with the tensor, or has it at an offset in bytes. */
export type Tensor = object | { buffer: object; offset?: number };

/** Runs plans on a GPUDevice of yours, and keeps what it compiled. It never submits. */
export class Kernels {
  /** A GPUDevice. */
  constructor(device: object);
  /**
   * Checks and binds the tensors of an operation. `tensors` has a GPUBuffer with usage STORAGE for each of `plan(…).tensors`, by
   * name. Throws if one is missing, too short or not aligned.
   */
  prepare(
    operation: Operation,
    definition: Definition,
    tensors: Record<string, Tensor>,
    options: { length: number; dtype?: DType; placement?: Placement },
  ): Launch;
  /** Prepares an operation, and encodes it once into a GPUComputePassEncoder. */
  encode(
    pass: object,
    operation: Operation,
    definition: Definition,
    tensors: Record<string, Tensor>,
    options: { length: number; dtype?: DType; placement?: Placement },
  ): void;
}

/** An operation on tensors, to be encoded as often as you like. */
export interface Launch {
  encode(pass: object): void;
}

export interface Npy {
  dtype: DType | "f64";
  shape: number[];
  /** Whether the first index changes fastest. */
  isFortran: boolean;
  data: Float32Array | Float64Array | Uint16Array;
  /** Where the elements begin in the file, in bytes. */
  start: number;
}

/** Reads a `.npy` file of NumPy. uint16 are taken for the bits of bfloat16. */
export function readNpy(file: Uint8Array | ArrayBuffer): Npy;
