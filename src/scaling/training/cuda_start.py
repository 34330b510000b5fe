"""Whether CUDA starts here and computes what training needs; if a GPU is promised and it does not, why, and what mends it."""

from __future__ import annotations

from typing import Any

from scaling.training.nvidia import LEAST_DRIVER, driver_version


def try_steps(index: int) -> None:
    """A matrix product, the backward pass of a convolution and a fused step of AdamW on GPU ``index``.

    cuBLAS, cuDNN and torch's own kernels each may be missing for a GPU that is there. Raises torch's errors.
    """
    import torch

    device = torch.device("cuda", index)
    square = torch.ones(64, 64, device=device)
    product = square @ square
    convolution = torch.nn.Conv2d(8, 8, 3, padding=1).to(device)
    convolution(torch.ones(2, 8, 16, 16, device=device)).square().mean().backward()
    torch.optim.AdamW(convolution.parameters(), lr=1e-3, fused=True).step()
    torch.cuda.synchronize(device)
    if product[0, 0].item() != 64.0:
        raise RuntimeError(f"a product of ones on GPU {index} gives {product[0, 0].item()}, not 64")


def why_not_available() -> str:
    """Why torch finds no CUDA here, in its own words, on one line."""
    import torch

    try:
        torch.cuda.init()
    except Exception as error:
        return " ".join(str(error).split()).removesuffix(".")
    return "torch finds no GPU"


def trouble(signs: str, reason: str) -> str:
    """One line for people: what promises a GPU, which wheel does not serve it, why, and what mends it."""
    import torch

    version = torch.version.cuda
    wheel = f"torch {torch.__version__} ({f'for CUDA {version}' if version else 'built without CUDA'})"
    return f"a GPU is promised here ({signs}), but CUDA does not start with {wheel}: {reason}; {mend(version, reason)}"


def mend(cuda: str | None, reason: str) -> str:
    """What the user can do, for a torch built for CUDA ``cuda`` (None: for none) that failed for ``reason``."""
    driver = driver_version()
    return _cause(cuda, reason, driver) + ", or set `device: cpu` in the study to train without it"


def _cause(cuda: str | None, reason: str, driver: str) -> str:
    if cuda is None:
        return "install a torch with CUDA (envs/requirements-cuda.txt)"
    least = LEAST_DRIVER.get(int(cuda.split(".")[0]))
    if driver and least is not None and int(driver.split(".")[0]) < least:
        return f"update the driver to {least} or later, or install a torch for an older CUDA (envs/requirements-cuda126.txt)"
    if "no kernel image" in reason:
        return "install a torch that has kernels for this GPU (older ones: envs/requirements-cuda126.txt)"
    if not driver:
        return "no driver is seen: load it, or start the container with GPUs (apptainer --nv, docker --gpus all)"
    if is_busy(reason):
        return "another process holds the GPU in exclusive mode: wait for it, or set its mode to default (nvidia-smi -c 0)"
    return "ask for a GPU if this is a job of a cluster; `scaling doctor` says more"


def is_busy(error: Any) -> bool:
    """Whether ``error`` says that another process holds the GPU for itself."""
    return "busy or unavailable" in str(error)


def is_capture_error(error: BaseException) -> bool:
    """Whether ``error`` says that CUDA refuses to capture a step as a graph; its process cannot go on with CUDA then."""
    return isinstance(error, RuntimeError) and "captur" in str(error)


def is_cuda_error(error: BaseException) -> bool:
    """Whether ``error`` is one of CUDA or its libraries, which may come of other processes on the same GPU: a library that
    finds no room to start, a GPU that one process holds for itself, a fault of a neighbour under MPS."""
    words = ("CUDA error", "CUDA driver error", "CUBLAS_STATUS", "CUDNN_STATUS", "cuDNN error", "cuBLAS error")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
