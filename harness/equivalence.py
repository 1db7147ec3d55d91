"""Holds a recurrent layer of one's own to a case, in one's own tests.

    from harness.equivalence import Parity

    def my_layer(problem):
        weights = problem.weights(0, "forward")  # kernel, recurrent_kernel, bias
        outputs, h = my_rnn(problem["inputs"], problem.initial(0, "forward")["h"], **weights)
        return {"outputs": outputs, "final_h": h[None]}

    with Parity() as parity:
        parity.assert_equivalent(
            my_layer, case="rnn_tanh-dynamic-B3-T7-D4-H5-f32-s1", reference="torch"
        )

In pytest the fixture `parity` is one that all tests share.
"""
