"""All C of honshi, each file beside the Python that calls it, and how it is compiled and found.

1. library.py: a C file as a library. shipped.py: what came compiled with the package, levels.py: for which kinds of
   processor. compiler.py finds and runs the compiler where none came, or for this very processor. tensors.py asks what
   a tensor is before its address is given away; parts.py tells what is used and why.
2. kernels.c: convolution and max pooling in fewer passes over memory than by operations of torch; kernels.py calls it,
   convolution.py and max_pool.py give it to autograd, layers.py to the layers of a model.
3. mlp_sgd.c: whole epochs of plain SGD for the lecture's network.
4. shared_sum.c: sums between the processes of one machine.

Each brings at least a tenth of a whole training somewhere, or it would not be here (docs/native.md).

The numbers are those of torch within rounding. What the C code does not know, and all where there is no C compiler,
torch computes.
"""
