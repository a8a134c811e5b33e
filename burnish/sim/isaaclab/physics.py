"""What Newton and its MuJoCo-Warp solver hold of every world."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from burnish.sim.tracer import Pose, pose_of


class Physics:
    """Of the Isaac Lab world in place when this is made, which has `count` lanes."""

    def __init__(self, count: int) -> None:
        from isaaclab_newton.physics import NewtonManager  # pyright: ignore[reportMissingImports]

        self._count, self._newton, self._solver = count, NewtonManager.backend, NewtonManager._solver

    @functools.cached_property
    def picture(self) -> Any:
        """All that is visible in one lane, in the order of the solver's own geoms, and a camera, which it has not."""
        import mujoco

        model, spec = self._solver.mj_model, mujoco.MjSpec()
        spec.worldbody.add_camera()
        for mesh in range(model.nmesh):
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            points = model.mesh_vert[first : first + count].ravel()
            first, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
            faces = model.mesh_face[first : first + count].ravel()
            spec.add_mesh(name=f"mesh{mesh}", uservert=points, userface=faces)
        for geom in range(model.ngeom):
            shown = spec.worldbody.add_geom(type=model.geom_type[geom], size=model.geom_size[geom])
            shown.rgba = model.geom_rgba[geom]
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
                shown.meshname = f"mesh{model.geom_dataid[geom]}"
        return spec.compile()

    def tensors(self) -> dict[str, Tensor]:
        """The solver's arrays with a row per lane, and Newton's, which follow one another lane by lane, as rows."""
        found = {f"data.{name}": value for name, value in _arrays(self._solver.mjw_data).items()}
        rows = {name: value for name, value in found.items() if value.shape[0] == self._count}
        for part, holder in (("state", self._newton.state_0), ("control", self._newton.control)):
            for name, value in _arrays(holder).items():
                if value.shape[0] % self._count == 0 and value.is_contiguous():
                    rows[f"{part}.{name}"] = value.view(self._count, -1)
        return rows

    def view(self, value: Any) -> Any:
        """Warp's arrays as tensors, of the same memory; everything else as it is."""
        return _tensor(value, value)

    def poses(self, lanes: Sequence[int]) -> list[Pose]:
        """Where everything in the picture is in `lanes`."""
        import mujoco

        model, poses = self._solver.mj_model, []
        data = mujoco.MjData(model)
        places = torch.as_tensor(_tensor(self._solver.mjw_data.qpos, None)).cpu().numpy()
        for lane in lanes:
            data.qpos[:] = places[lane]
            mujoco.mj_kinematics(model, data)
            poses.append(pose_of(data))
        return poses


def _arrays(holder: Any) -> dict[str, Tensor]:
    found: Mapping[str, Any] = {name: _tensor(value, None) for name, value in vars(holder).items()}
    return {name: value for name, value in found.items() if value is not None}


def _tensor(value: Any, otherwise: Any) -> Any:
    """Warp's array `value` as a tensor, if it is one of numbers; else `otherwise`."""
    import warp

    if not isinstance(value, warp.array) or not value.ndim or not value.size:
        return otherwise
    try:
        return warp.to_torch(value, requires_grad=False)
    except (TypeError, RuntimeError):  # of structures
        return otherwise
