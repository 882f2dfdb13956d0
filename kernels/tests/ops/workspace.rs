//! Workspaces that are shared by calls on different numbers of threads.

use dwsep::{Activation, Executor, Nhwc, Padding, Separable, Stride, View, ViewMut};

use crate::{depthwise, pointwise};

/// A workspace that was made for some threads is enough for fewer: they may divide it otherwise.
#[test]
fn fewer_threads_never_take_more_workspace() {
    for (side, c, c_out) in [(14, 512, 512), (7, 256, 1024), (28, 256, 256), (9, 8, 8)] {
        let (dw, pw) = (depthwise(c), pointwise(c, c_out));
        let shape = Nhwc::new(1, side, side, c);
        let (same, none) = (Padding::symmetric(1), Activation::None);
        let op = Separable::new(&dw, &pw, shape, Stride::One, same, none, none).expect("valid");
        let lengths: Vec<usize> = (0..20).map(|threads| op.workspace_len(threads)).collect();
        assert!(lengths.is_sorted(), "{shape:?}: {lengths:?}");
        // Fused on three threads, apart on four: the op takes it.
        let mut workspace = vec![0; op.workspace_len(4)];
        let input = vec![1.0; side * side * c];
        let mut output = vec![0.0; side * side * c_out];
        for threads in [3, 4] {
            let input = View::new(&input, shape).expect("valid");
            let output = ViewMut::new(&mut output, op.output_shape()).expect("valid");
            op.run(&Says(threads), input, output, &mut workspace)
                .unwrap_or_else(|error| panic!("{shape:?}: {threads} of 4 threads: {error}"));
        }
    }
}

/// One thread that says it is so many.
struct Says(usize);

impl Executor for Says {
    fn threads(&self) -> usize {
        self.0
    }

    fn broadcast(&self, work: &(dyn Fn() + Sync)) {
        work();
    }
}
