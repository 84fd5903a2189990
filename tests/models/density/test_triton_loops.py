"""The kernels themselves are run in test_triton_kernel; here: they can be imported."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="the fused GPU kernels need Triton")


def test_kernels_are_compiled_functions() -> None:
    from scdp_models.density.triton_loops import backward_kernel, forward_kernel

    assert {type(k).__name__ for k in (forward_kernel, backward_kernel)} <= {
        "JITFunction",
        "InterpretedFunction",
    }
