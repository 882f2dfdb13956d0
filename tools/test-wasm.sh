#!/usr/bin/env bash
# Builds the crate `dwsep`, without std, for wasm32 with simd128, and runs the self-check of every kernel in Node: those of the portable
# tier and the scalar ones, in f32 and in 8-bit integers, bit by bit against the references. Installs the target, if rustup can.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=wasm32-unknown-unknown
libs=$(rustc --print target-libdir --target "$target")
if ! ls "$libs"/libcore-*.rlib >/dev/null 2>&1; then rustup target add "$target"; fi
if ! command -v node >/dev/null; then
    echo "test-wasm: there is no Node to run it in" >&2
    exit 1
fi

export RUSTFLAGS="-C target-feature=+simd128 -D warnings"
# With other flags than the rest is built with, so not in its folder.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/wasm
cargo build --locked --quiet --release --package dwsep --no-default-features --features portable,qs8 --target "$target" --example wasm
node - "$CARGO_TARGET_DIR/$target/release/examples/wasm.wasm" <<'JS'
const bytes = require("node:fs").readFileSync(process.argv[2]);
const { exports: e } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
const text = (at, len) => Buffer.from(e.memory.buffer, at, len).toString();
const passed = { portable: 0, scalar: 0 };
for (let i = 0; i < e.kernels(); i++) {
  const name = text(e.name(i), e.name_len(i));
  const found = e.check(i);
  if (found !== 1) throw new Error(`${name}: ${found === 0 ? "other bits than the reference's" : "cannot run"}`);
  passed[name.split("__")[1]]++;
}
// Pointwise and depthwise, of three types of elements.
if (passed.portable < 6 || passed.scalar < 6) throw new Error(`too few kernels: ${JSON.stringify(passed)}`);
// Of the module the section with the code: each has a number of one byte, and a length of seven bits a byte.
function code() {
  let at = 8;
  while (at < bytes.length) {
    const id = bytes[at++];
    let [len, shift] = [0, 0];
    do {
      len |= (bytes[at] & 0x7f) << shift;
      shift += 7;
    } while (bytes[at++] & 0x80);
    if (id === 10) return bytes.subarray(at, at + len);
    at += len;
  }
}
// f32x4.mul, and the product of pairs of 16 bits, as they are encoded: without them it would be scalar code that has passed.
for (const [what, encoded] of [["f32x4.mul", [0xfd, 0xe6, 0x01]], ["i32x4.dot_i16x8_s", [0xfd, 0xba, 0x01]]]) {
  if (!code().includes(Buffer.from(encoded))) throw new Error(`there is no ${what} in it`);
}
console.log(`test-wasm: ${passed.portable} portable and ${passed.scalar} scalar kernels have the references' bits`);
JS
