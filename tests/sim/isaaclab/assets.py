"""What Isaac Lab's cartpoles want of Isaac Sim's assets, made here: a ground plane and a cart with a pole, as USD."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

GROUND = "Isaac/IsaacLab/Environments/Grid/default_ground_plane_checker_v1/default_ground_plane.usda"
CARTPOLE = "Isaac/IsaacLab/Robots/Classic/Cartpole/cartpole.usd"
MASS_KG, POLE_M = 1.0, 0.94
"""Of each body; the pole's centre is half its length away from where it turns."""


def make(root: Path) -> None:
    """Write them below `root`, for `ISAACSIM_ASSET_ROOT`. Needs `pxr`, which comes with Isaac Lab."""
    for path, draw in ((GROUND, _ground), (CARTPOLE, _cartpole)):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        draw(_stage(file))


def _stage(file: Path) -> Any:
    from pxr import Usd, UsdGeom

    stage: Any = Usd.Stage.CreateNew(str(file))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/Asset").GetPrim())
    return stage


def _ground(stage: Any) -> None:
    """An endless plane to stand on, and a square of 100 m to be seen, whose texture is scaled with it."""
    from pxr import Sdf, UsdGeom, UsdPhysics, UsdShade

    plane = UsdGeom.Plane.Define(stage, "/Asset/CollisionPlane")
    plane.CreateAxisAttr(UsdGeom.Tokens.z)
    UsdPhysics.CollisionAPI.Apply(plane.GetPrim())
    UsdGeom.Imageable(plane).CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdGeom.Xform.Define(stage, "/Asset/Environment").AddScaleOp().Set((1.0, 1.0, 1.0))
    mesh = UsdGeom.Mesh.Define(stage, "/Asset/Environment/Geometry")
    corners = [(-50.0, -50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, 50.0)]
    mesh.CreatePointsAttr([(x, y, 0.0) for x, y in corners])
    mesh.CreateFaceVertexCountsAttr([4])
    mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
    st = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.varying)
    st.Set([(x / 2, y / 2) for x, y in corners])
    UsdShade.Material.Define(stage, "/Asset/Looks/theGrid")
    UsdShade.Shader.Define(stage, "/Asset/Looks/theGrid/Shader")
    stage.Save()


def _cartpole(stage: Any) -> None:
    """A rail along y that is fixed to the world, a cart on it, a pole on the cart that turns about x.

    Names, places, axes and masses are those of Isaac Lab's own.
    """
    from pxr import Sdf, UsdPhysics

    UsdPhysics.ArticulationRootAPI.Apply(stage.GetDefaultPrim())
    _box(stage, "slider", (0.03, 8.0, 0.03), (0.0, 0.0, 0.0))
    _box(stage, "cart", (0.2, 0.25, 0.2), (0.0, 0.0, 0.0))
    _box(stage, "pole", (0.04, 0.06, POLE_M), (0.12, 0.0, 0.0), centre_m=POLE_M / 2)
    fixed = UsdPhysics.FixedJoint.Define(stage, "/Asset/rootJoint")
    fixed.CreateBody1Rel().SetTargets([Sdf.Path("/Asset/slider")])
    slide = UsdPhysics.PrismaticJoint.Define(stage, "/Asset/slider_to_cart")
    slide.CreateAxisAttr("Y")
    slide.CreateLowerLimitAttr(-4.0)
    slide.CreateUpperLimitAttr(4.0)
    turn = UsdPhysics.RevoluteJoint.Define(stage, "/Asset/cart_to_pole")
    turn.CreateAxisAttr("X")
    turn.CreateLocalPos0Attr((0.12, 0.0, 0.0))
    for joint, first, second in ((slide, "slider", "cart"), (turn, "cart", "pole")):
        joint.CreateBody0Rel().SetTargets([Sdf.Path(f"/Asset/{first}")])
        joint.CreateBody1Rel().SetTargets([Sdf.Path(f"/Asset/{second}")])
    for joint, kind, fastest in ((slide, "linear", 100.0), (turn, "angular", math.degrees(8.0))):
        drive = UsdPhysics.DriveAPI.Apply(joint.GetPrim(), kind)
        drive.CreateStiffnessAttr(0.0)
        drive.CreateDampingAttr(0.0)
        joint.GetPrim().AddAppliedSchema("PhysxJointAPI")
        limit = joint.GetPrim().CreateAttribute("physxJoint:maxJointVelocity", Sdf.ValueTypeNames.Float)
        limit.Set(fastest)  # m/s, deg/s
    stage.Save()


def _box(stage: Any, name: str, size: tuple[float, ...], place: tuple[float, ...], centre_m: float = 0.0) -> None:
    """A body at `place` m, a box of `size` m whose centre is `centre_m` above it."""
    from pxr import UsdGeom, UsdPhysics

    body = UsdGeom.Xform.Define(stage, f"/Asset/{name}")
    body.AddTranslateOp().Set(place)
    UsdPhysics.RigidBodyAPI.Apply(body.GetPrim())
    weight = UsdPhysics.MassAPI.Apply(body.GetPrim())
    weight.CreateMassAttr(MASS_KG)
    weight.CreateCenterOfMassAttr((0.0, 0.0, centre_m))
    squares = math.fsum(side**2 for side in size)
    weight.CreateDiagonalInertiaAttr(tuple(MASS_KG / 12 * (squares - side**2) for side in size))
    cube = UsdGeom.Cube.Define(stage, f"/Asset/{name}/shape")
    cube.CreateSizeAttr(1.0)
    cube.AddTranslateOp().Set((0.0, 0.0, centre_m))
    cube.AddScaleOp().Set(size)
    UsdPhysics.CollisionAPI.Apply(cube.GetPrim())  # what cannot be touched is not drawn
    cube.CreateDisplayColorAttr([(0.2, 0.4, 0.7) if name == "cart" else (0.8, 0.5, 0.2)])
