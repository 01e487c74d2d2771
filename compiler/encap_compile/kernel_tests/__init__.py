"""`encap-compile test --kernel`: the tests of a spec, run by its program in this machine's kernel beside the model.

The one room that knows both houses: what compiles gives the tests, the model's answers and the object; what runs on a
machine loads the object and gives it the frames (BPF_PROG_TEST_RUN).
"""
