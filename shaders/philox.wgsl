// The random stream that draws signs.

// The upper half of a * b.
fn product_high(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = vec2<u32>(0xffffu);
    let bits = vec2<u32>(16u);
    let middle = (a >> bits) * (b & low) + (((a & low) * (b & low)) >> bits);
    let other = (a & low) * (b >> bits) + (middle & low);
    return (a >> bits) * (b >> bits) + (middle >> bits) + (other >> bits);
}

// A block of Philox4x32-10: four random words from the number of the block, low word first, and the seed.
fn philox(block: vec2<u32>, seed: vec2<u32>) -> vec4<u32> {
    let factors = vec2<u32>(0xd2511f53u, 0xcd9e8d57u);
    var counter = vec4<u32>(block, 0u, 0u);
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let high = product_high(factors, counter.xz);
        let low = factors * counter.xz;
        counter = vec4<u32>(high.y ^ counter.y ^ key.x, low.y, high.x ^ counter.w ^ key.y, low.x);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

// The number of the block that has the random word of element number `element` of the tensor. `offset` has its low word first.
fn block_of(element: u32, offset: vec2<u32>) -> vec2<u32> {
    let low = offset.x + element;
    let high = offset.y + select(0u, 1u, low < element);
    return vec2<u32>((low >> 2u) | (high << 30u), high >> 2u);
}
// The random words of four consecutive elements, the first of which is number `element` of the tensor. `seed` and `offset`
// have their low word first.
fn random4(element: u32, seed: vec2<u32>, offset: vec2<u32>) -> vec4<u32> {
    let block = block_of(element, offset);
    let words = philox(block, seed);
    let skipped = (offset.x + element) & 3u;
    if skipped == 0u {
        return words;
    }
    // There are 2^62 blocks; after the last the stream starts over.
    let next_high = (block.y + select(0u, 1u, block.x == 0xffffffffu)) & 0x3fffffffu;
    let next = philox(vec2<u32>(block.x + 1u, next_high), seed);
    if skipped == 1u {
        return vec4<u32>(words.yzw, next.x);
    }
    if skipped == 2u {
        return vec4<u32>(words.zw, next.xy);
    }
    return vec4<u32>(words.w, next.xyz);
}
// random4 of elements whose words are a whole block.
fn random4_aligned(element: u32, seed: vec2<u32>, offset: vec2<u32>) -> vec4<u32> {
    return philox(block_of(element, offset), seed);
}
