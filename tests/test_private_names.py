"""What honshi uses of other libraries without their having promised it.

Each such name is listed here with what we rely on. A new one without an entry fails, and so does one that a new
version of its library has taken away, or given another meaning: before anyone's training does.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import prune
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR, StepLR
from torch.utils._python_dispatch import TorchDispatchMode

import honshi
from honshi.tuning.study import file_url

SOURCES = Path(honshi.__file__).parent
# Of honshi's own, one that its library documents, and a folder that macOS makes.
OURS = {"_Sealed__read", "_honshi_card", "_dl", "_exit", "__macosx"}


def ignore(*_: object, **__: object) -> None:
    """A hook that does nothing."""


HOOKS_OF_A_MODULE: dict[str, Callable[[nn.Module], object]] = {
    "_forward_hooks": lambda module: module.register_forward_hook(ignore),
    "_forward_pre_hooks": lambda module: module.register_forward_pre_hook(ignore),
    "_backward_hooks": lambda module: module.register_full_backward_hook(ignore),
    "_backward_pre_hooks": lambda module: module.register_full_backward_pre_hook(ignore),
    "_state_dict_hooks": lambda module: module.register_state_dict_post_hook(ignore),
    "_state_dict_pre_hooks": lambda module: module.register_state_dict_pre_hook(ignore),
    "_load_state_dict_pre_hooks": lambda module: module.register_load_state_dict_pre_hook(ignore),
    "_load_state_dict_post_hooks": lambda module: module.register_load_state_dict_post_hook(ignore),
}
HOOKS_OF_A_TENSOR: dict[str, Callable[[Tensor], object]] = {
    "_backward_hooks": lambda tensor: tensor.register_hook(ignore),
    "_post_accumulate_grad_hooks": lambda tensor: tensor.register_post_accumulate_grad_hook(ignore),
}
HOOKS_OF_AN_OPTIMIZER: dict[str, Callable[[Optimizer], object]] = {
    "_optimizer_step_pre_hooks": lambda optimizer: optimizer.register_step_pre_hook(ignore),
    "_optimizer_step_post_hooks": lambda optimizer: optimizer.register_step_post_hook(ignore),
    "_optimizer_state_dict_pre_hooks": lambda optimizer: optimizer.register_state_dict_pre_hook(ignore),
    "_optimizer_state_dict_post_hooks": lambda optimizer: optimizer.register_state_dict_post_hook(ignore),
    "_optimizer_load_state_dict_pre_hooks": lambda optimizer: optimizer.register_load_state_dict_pre_hook(ignore),
    "_optimizer_load_state_dict_post_hooks": lambda optimizer: optimizer.register_load_state_dict_post_hook(ignore),
}


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize("name", HOOKS_OF_A_MODULE)
def test_a_hook_of_a_module_is_kept_there(name: str) -> None:
    module = nn.Linear(2, 2)
    assert not getattr(module, name)

    HOOKS_OF_A_MODULE[name](module)

    assert len(getattr(module, name)) == 1


@pytest.mark.parametrize("name", HOOKS_OF_A_TENSOR)
def test_a_hook_of_a_tensor_is_kept_there(name: str) -> None:
    tensor = parameter()
    assert not getattr(tensor, name)

    HOOKS_OF_A_TENSOR[name](tensor)

    assert len(getattr(tensor, name)) == 1


@pytest.mark.parametrize("name", HOOKS_OF_AN_OPTIMIZER)
def test_a_hook_of_an_optimizer_is_kept_there(name: str) -> None:
    optimizer = SGD([parameter()])
    assert not getattr(optimizer, name)

    HOOKS_OF_AN_OPTIMIZER[name](optimizer)

    assert len(getattr(optimizer, name)) == 1


def hooks_of_all_optimizers() -> None:
    from torch.optim import optimizer

    for name, register in (
        ("_global_optimizer_pre_hooks", optimizer.register_optimizer_step_pre_hook),
        ("_global_optimizer_post_hooks", optimizer.register_optimizer_step_post_hook),
    ):
        assert not getattr(optimizer, name)
        handle = register(ignore)
        assert len(getattr(optimizer, name)) == 1
        handle.remove()


def hooks_of_all_modules() -> None:
    from torch.nn.modules import module

    assert not module._has_any_global_hook()
    handle = module.register_module_forward_hook(ignore)
    assert module._has_any_global_hook()
    handle.remove()


def parts_of_a_module() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert module._modules == dict(module.named_children())
    assert module[0]._parameters == dict(module[0].named_parameters())
    assert module[1]._buffers == dict(module[1].named_buffers())
    assert {"_modules", "_parameters", "_buffers"} <= set(vars(module))


def own_state_of_a_module() -> None:
    class WithState(nn.Linear):
        def get_extra_state(self) -> str:
            return "more"

    state: dict[str, object] = {}
    nn.Sequential(WithState(2, 2))._save_to_state_dict(state, "", keep_vars=True)
    assert state == {}
    WithState(2, 2)._save_to_state_dict(state, "", keep_vars=True)
    assert {key for key, value in state.items() if not isinstance(value, Tensor)} == {"_extra_state"}


def pruned_weight() -> None:
    layer = nn.Linear(2, 2)
    prune.l1_unstructured(layer, "weight", 0.5)
    (hook,) = layer._forward_pre_hooks.values()
    assert vars(hook)["_tensor_name"] == "weight"


def batch_norm() -> None:
    layers = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm
    assert all(issubclass(layer, nn.modules.batchnorm._BatchNorm) for layer in layers)
    assert not issubclass(nn.InstanceNorm2d, nn.modules.batchnorm._BatchNorm)


def dropout() -> None:
    layers = nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout
    assert all(issubclass(layer, nn.modules.dropout._DropoutNd) for layer in layers)
    assert nn.modules.dropout._DropoutNd(0.25).p == 0.25


def version_of_a_tensor() -> None:
    tensor = torch.zeros(2)
    before = tensor._version
    assert (tensor + 1)._version == 0
    assert tensor._version == before
    tensor.add_(1)
    tensor[0] = 3
    assert tensor._version == before + 2


def average_of_many_tensors() -> None:
    averages, weights = [torch.zeros(2), torch.ones(3)], [torch.ones(2), torch.full((3,), 3.0)]
    torch._foreach_lerp_(averages, weights, 0.25)
    assert [average.tolist() for average in averages] == [[0.25] * 2, [1.5] * 3]


def bfloat16_in_the_processor() -> None:
    told = torch.cpu._is_avx512_bf16_supported()
    if sys.platform == "linux":
        assert told == bool(re.search(r"^flags.*\bavx512_bf16\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE))


def buffers_that_processes_do_not_send() -> None:
    model = nn.BatchNorm1d(2)
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(model, ["running_mean"])
    assert model._ddp_params_and_buffers_to_ignore == ["running_mean"]


def compiled_by_torch() -> None:
    # In a process of its own: this loads torch's compiler, which the others do without.
    program = (
        "import sys, torch; model = torch.nn.Linear(1, 1); before = set(vars(model)); wrapped = torch.compile(model)\n"
        "assert wrapped._orig_mod is model\n"
        "assert isinstance(wrapped, sys.modules['torch._dynamo.eval_frame'].OptimizedModule)\n"
        "model.compile()\n"
        "assert {'_compiled_call_impl'} <= set(vars(model)) - before <= {'_compiled_call_impl', '_is_torch_compile'}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def compiler_left_asleep() -> None:
    # That an optimizer is made and steps without it is held in tests/optimizers.
    assert all(
        hasattr(getattr(Optimizer, name), "__wrapped__")
        for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    )
    assert hasattr(SGD.step, "__wrapped__")


def traced_by_torch_func() -> None:
    seen: list[bool] = []

    def look(tensor: Tensor) -> Tensor:
        seen.append(torch._C._functorch.is_functorch_wrapped_tensor(tensor))
        return tensor

    torch.func.vmap(look)(torch.zeros(3))
    look(torch.zeros(3))
    assert seen == [True, False]


def forward_mode_differentiation() -> None:
    assert forward_ad._current_level < 0
    with forward_ad.dual_level():
        assert forward_ad._current_level == 0


def dispatch_modes() -> None:
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    class Watching(TorchDispatchMode):
        pass

    assert _get_current_dispatch_mode() is None
    watching: Callable[[], TorchDispatchMode] = Watching
    with watching() as mode:
        assert _get_current_dispatch_mode() is mode


def function_modes() -> None:
    from torch.overrides import _get_current_function_mode_stack
    from torch.utils._device import DeviceContext

    assert _get_current_function_mode_stack() == []
    with torch.device("cpu"):
        (mode,) = _get_current_function_mode_stack()
    assert isinstance(mode, DeviceContext)


def schedules_made_of_others() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    parts: list[LRScheduler] = [StepLR(optimizer, 1), StepLR(optimizer, 2)]

    assert list(ChainedScheduler(parts, optimizer)._schedulers) == parts
    one_after_the_other = SequentialLR(optimizer, parts, [3])
    assert (one_after_the_other._schedulers, one_after_the_other._milestones) == (parts, [3])


def heartbeat_of_a_study(tmp_path: Path) -> None:
    from optuna.storages._heartbeat import BaseHeartbeat

    storage = optuna.storages.RDBStorage(file_url(tmp_path / "study.db"))
    study = optuna.create_study(storage=storage, study_name="one")
    assert isinstance(study._storage, BaseHeartbeat)
    assert study._storage.get_study_name_from_id(study._study_id) == "one"
    storage.remove_session()
    storage.engine.dispose()


RELIED_ON: dict[Callable[..., None], tuple[str, ...]] = {
    hooks_of_all_optimizers: ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks"),
    hooks_of_all_modules: ("_has_any_global_hook",),
    parts_of_a_module: ("_modules", "_parameters", "_buffers"),
    batch_norm: ("_BatchNorm",),
    dropout: ("_DropoutNd",),
    version_of_a_tensor: ("_version",),
    average_of_many_tensors: ("_foreach_lerp_",),
    bfloat16_in_the_processor: ("_is_avx512_bf16_supported",),
    buffers_that_processes_do_not_send: ("_set_params_and_buffers_to_ignore_for_model",),
    compiled_by_torch: ("_orig_mod", "_dynamo", "_compiled_call_impl", "_is_torch_compile"),
    compiler_left_asleep: ("__dynamo_disable",),
    traced_by_torch_func: ("_C", "_functorch"),
    own_state_of_a_module: ("_save_to_state_dict",),
    pruned_weight: ("_tensor_name",),
    forward_mode_differentiation: ("_current_level",),
    dispatch_modes: ("_python_dispatch", "_get_current_dispatch_mode"),
    function_modes: ("_device", "_get_current_function_mode_stack"),
    schedules_made_of_others: ("_schedulers", "_milestones"),
    heartbeat_of_a_study: ("_heartbeat", "_storage", "_study_id"),
}


@pytest.mark.parametrize("held", RELIED_ON, ids=lambda held: held.__name__)
def test_it_is_there_and_means_what_we_rely_on(held: Callable[..., None], tmp_path: Path) -> None:
    held(*[tmp_path] * held.__code__.co_argcount)


def is_private(name: str) -> bool:
    return re.fullmatch(r"_[A-Za-z]\w*|__\w+(?<!__)", name) is not None


def names_made_in(tree: ast.AST) -> Iterator[str]:
    """The names that a module gives to something of its own."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case _:
                pass


def private_names_in(tree: ast.AST) -> Iterator[str]:
    """The private names that a module reads: as attributes, in imports, and in strings that are names."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                parts = [name]
            case ast.ImportFrom(module=str(module), names=names):
                parts = [*module.split("."), *(name.name for name in names)]
            case ast.Import(names=names):
                parts = [part for name in names for part in name.name.split(".")]
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.]+", text):
                parts = text.split(".")
            case _:
                parts = []
        yield from (part for part in parts if is_private(part))


def test_every_private_name_of_another_library_is_listed_and_no_other() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted(SOURCES.rglob("*.py"))]
    own = {name for tree in trees for name in names_made_in(tree)} | OURS
    listed = {name for names in RELIED_ON.values() for name in names}
    listed |= {*HOOKS_OF_A_MODULE, *HOOKS_OF_A_TENSOR, *HOOKS_OF_AN_OPTIMIZER}

    assert {name for tree in trees for name in private_names_in(tree)} - own == listed


@pytest.mark.parametrize(
    "source",
    ["x._secret", "from a._b import c", "from a import _c", "import a._b.c", "getattr(x, '_secret')", "f('a._b.c')"],
)
def test_the_search_finds_every_way_to_use_one(source: str) -> None:
    assert len(list(private_names_in(ast.parse(source)))) == 1


@pytest.mark.parametrize("source", ["x.__dict__", "from __future__ import annotations", "x._own = 3", "'_ and so on'"])
def test_the_search_passes_over_what_is_public_and_what_is_text(source: str) -> None:
    assert list(private_names_in(ast.parse(source))) == []
