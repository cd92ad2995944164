from __future__ import annotations

import threading

import numpy as np
import pytest

from qdynbench.workers.channel import Channel, ChannelClosed, pair


@pytest.fixture
def ends():
    first, second = (Channel(end) for end in pair())
    yield first, second
    first.close()
    second.close()


def test_messages_arrive_whole_and_in_order(ends):
    here, there = ends
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((3, 4, 2)).view(np.complex128)[..., 0],
        rng.standard_normal((2, 500_000)).astype(np.float32),  # more than the socket's buffer
        np.zeros((0, 5)),
        np.array(3.0),
        rng.standard_normal((4, 6)).T,  # not contiguous
    ]
    sender = threading.Thread(target=lambda: (here.send("block", *arrays, start=3, names=["a"]), here.send("done")))
    sender.start()
    message = there.receive()
    assert (message.kind, message.fields) == ("block", {"start": 3, "names": ["a"]})
    for sent, came in zip(arrays, message.arrays, strict=True):
        assert came.dtype == sent.dtype
        np.testing.assert_array_equal(came, sent)
    assert there.receive().kind == "done"
    sender.join()


def test_the_end_of_the_other_side_is_noticed(ends):
    here, there = ends
    there.close()
    with pytest.raises(ChannelClosed):
        here.receive()
    with pytest.raises(ChannelClosed):
        here.send("prepare", np.zeros(10**6))


def test_objects_do_not_travel(ends):
    here, there = ends
    here.send("block", np.array(["text"], dtype=object).astype("U4").view(np.uint32).astype(np.uint32))
    with pytest.raises(ChannelClosed, match="unexpected type"):
        there.receive()
