//! Stub.
#![allow(unsafe_code, clippy::all, missing_docs, clippy::undocumented_unsafe_blocks)]
use cellc_compiler::ir::eval::Real;
use cellc_compiler::ir::op::Unary;
use std::ops::Range;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Avx2,
    Avx512,
}
impl Width {
    pub fn detect() -> Option<Self> {
        Some(Self::Avx512)
    }
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Avx512].into_iter()
    }
    pub fn panel(self, bytes: usize) -> usize {
        128 / bytes
    }
}
pub trait Wide: Real {}
impl Wide for f32 {}
impl Wide for f64 {}
#[derive(Clone, Copy, Debug)]
pub struct Rows<T> {
    pub data: *mut T,
    pub stride: usize,
    pub len: usize,
}
#[derive(Clone, Copy, Debug)]
pub struct Block<T> {
    pub data: *const T,
    pub stride: usize,
    pub transposed: bool,
    pub k: [usize; 2],
    pub n: [usize; 2],
}
pub fn packed_len(width: Width, bytes: usize, k: usize, n: usize) -> usize {
    n.div_ceil(width.panel(bytes)) * width.panel(bytes) * k
}
pub unsafe fn pack<T: Wide>(
    width: Width,
    blocks: &[Block<T>],
    k: usize,
    n: usize,
    panels: Range<usize>,
    packed: *mut T,
) {
    let w = width.panel(size_of::<T>());
    let _ = n;
    unsafe {
        for i in panels.start * w * k..panels.end * w * k {
            *packed.add(i) = T::default();
        }
        for b in blocks {
            for kk in b.k[0]..b.k[1] {
                for nn in b.n[0]..b.n[1] {
                    if !panels.contains(&(nn / w)) {
                        continue;
                    }
                    let (a, c) = (kk - b.k[0], nn - b.n[0]);
                    let v =
                        *b.data.add(if b.transposed { c * b.stride + a } else { a * b.stride + c });
                    *packed.add((nn / w * k + kk) * w + nn % w) = v;
                }
            }
        }
    }
}
pub unsafe fn product<T: Wide>(
    width: Width,
    parts: &[Rows<T>],
    packed: *const T,
    start: Option<Rows<T>>,
    out: Rows<T>,
    first: usize,
    last: usize,
) {
    let w = width.panel(size_of::<T>());
    let k: usize = parts.iter().map(|p| p.len).sum();
    unsafe {
        for r in first..last {
            for n in 0..out.len {
                let mut s = start.map_or(T::default(), |s| *s.data.add(r * s.stride + n));
                let mut kk = 0;
                for p in parts {
                    for i in 0..p.len {
                        s = s + *p.data.add(r * p.stride + i)
                            * *packed.add((n / w * k + kk) * w + n % w);
                        kk += 1;
                    }
                }
                *out.data.add(r * out.stride + n) = s;
            }
        }
    }
}
pub unsafe fn outer_sum<T: Wide>(
    _: Width,
    rows: usize,
    u: &[Rows<T>],
    v: &[Rows<T>],
    to: &[(*mut T, usize)],
    part: Range<usize>,
    _: &mut Vec<T>,
) {
    unsafe {
        let mut a0 = 0;
        for (i, u) in u.iter().enumerate() {
            for a in 0..u.len {
                if part.contains(&(a0 + a)) {
                    for (j, v) in v.iter().enumerate() {
                        let (d, s) = to[i * (to.len() / to.len().max(1)).max(1) * 0
                            + i * vlen(to.len(), u_len(i))
                            + j];
                        let _ = (d, s);
                        let _ = v;
                    }
                }
            }
            a0 += u.len;
        }
        let vl = v.len();
        let mut a0 = 0;
        for (i, u) in u.iter().enumerate() {
            for a in 0..u.len {
                if part.contains(&(a0 + a)) {
                    for (j, v) in v.iter().enumerate() {
                        let (d, s) = to[i * vl + j];
                        for b in 0..v.len {
                            let mut sum = *d.add(a * s + b);
                            for r in 0..rows {
                                sum = sum
                                    + *u.data.add(r * u.stride + a) * *v.data.add(r * v.stride + b);
                            }
                            *d.add(a * s + b) = sum;
                        }
                    }
                }
            }
            a0 += u.len;
        }
    }
}
fn vlen(_: usize, _: usize) -> usize {
    0
}
fn u_len(_: usize) -> usize {
    0
}
pub unsafe fn column_sum<T: Wide>(
    _: Width,
    rows: usize,
    from: Rows<T>,
    to: *mut T,
    part: Range<usize>,
) {
    unsafe {
        for c in part {
            for r in 0..rows {
                *to.add(c) = *to.add(c) + *from.data.add(r * from.stride + c);
            }
        }
    }
}
pub unsafe fn map<T: Wide>(
    _: Width,
    function: Unary,
    from: Rows<T>,
    to: Rows<T>,
    first: usize,
    last: usize,
) {
    unsafe {
        for r in first..last {
            for i in 0..to.len {
                *to.data.add(r * to.stride + i) =
                    T::unary(function, *from.data.add(r * from.stride + i));
            }
        }
    }
}
