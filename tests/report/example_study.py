"""A synthetic study with known laws, and fits.json as the laws would write it, in any size down to nothing."""

from __future__ import annotations

import numpy as np
import polars as pl

from scaling.models.registry import FAMILIES
from scaling.runs.learning_curves import CURVE_SCHEMA
from scaling.runs.records import SCHEMA

TRUTHS = {
    # family: (E, A, alpha, B, beta)
    "mlp": (0.26, 6.0, 0.42, 9.0, 0.44),
    "alexnet": (0.22, 9.0, 0.50, 12.0, 0.47),
    "vgg": (0.18, 8.0, 0.50, 14.0, 0.48),
    "googlenet": (0.19, 9.5, 0.52, 16.0, 0.49),
    "plain": (0.24, 9.0, 0.46, 13.0, 0.47),
    "resnet": (0.17, 7.0, 0.49, 13.0, 0.48),
    "vit": (0.22, 9.0, 0.45, 15.0, 0.45),
    "swin": (0.20, 8.0, 0.46, 13.0, 0.46),
}


def runs_table(
    families=("mlp", "vgg", "resnet", "vit"),
    sizes=(5_000, 15_000, 45_000, 130_000),
    images=(500, 1_300, 3_600, 10_000),
    seeds=1,
    lost=(),
    rng_seed=0,
) -> pl.DataFrame:
    """A runs table; ``lost`` maps positions to a status other than done."""
    rng = np.random.default_rng(rng_seed)
    rows = []
    for family in families:
        E, A, alpha, B, beta = TRUTHS[family]
        for target in sizes:
            params = int(target * rng.uniform(0.96, 1.04))
            for D in images:
                for seed in range(seeds):
                    noise = rng.normal(0, 0.03 * (500 / D) ** 0.3)
                    loss = float((E + A / params**alpha + B / D**beta) * np.exp(noise))
                    steps = max(16_000, 16 * D) // 64
                    rows.append(
                        dict.fromkeys(SCHEMA)
                        | {
                            "key": f"{len(rows):064x}",
                            "study": "example",
                            "pack": family,
                            "family": family,
                            "kind": FAMILIES[family].kind,
                            "recipe": "modern",
                            "target_params": target,
                            "params": params,
                            "width": float(round((params / 300) ** 0.5, 1)),
                            "depth": 3,
                            "images": D,
                            "seed": seed,
                            "learning_rate": 0.02 * (target / 5000) ** -0.25,
                            "batch": 64,
                            "steps": steps,
                            "images_seen": steps * 64,
                            "flop": 3.0 * 60 * params * steps * 64,
                            "flop_to_best": 2.4 * 60 * params * steps * 64,
                            "flop_forward": 60.0 * params,
                            "loss": loss,
                            "loss_se": 0.006,
                            "error": min(0.9, 0.36 * loss),
                            "error_se": 0.003,
                            "validation_loss": loss * 0.97,
                            "validation_error": 0.35 * loss,
                            "train_loss": loss * 0.6,
                            "best_step": int(steps * 0.9),
                            "stopped_early": False,
                            "status": "done",
                            "seconds": params / 4000 + D / 900,
                            "device": "cpu",
                            "precision": "fp32",
                            "machine": "a processor",
                            "torch_version": "2.9",
                            "timm_version": "1.0",
                            "recipe_version": 1,
                        }
                    )
    for position, status in dict(lost).items():
        for name in ("loss", "loss_se", "error", "error_se", "validation_loss", "validation_error"):
            rows[position][name] = None
        rows[position] |= {"status": status, "reason": f"{status} for the example"}
    return pl.DataFrame(rows, schema=SCHEMA)


def fits_of(runs: pl.DataFrame, rng_seed=1) -> dict:
    """The fits of ``runs`` in the form of fits.json: the truths themselves, with draws around them."""
    rng = np.random.default_rng(rng_seed)
    done = runs.filter(pl.col("status") == "done")
    fits, holdout, frontier, verdicts = [], [], [], []
    for family in runs["family"].unique(maintain_order=True):
        own = done.filter(pl.col("family") == family)
        enough = own["params"].n_unique() >= 4 and own["images"].n_unique() >= 4
        names = ("E", "A", "alpha", "B", "beta")
        truth = dict(zip(names, TRUTHS[family], strict=True))
        draws = [{n: float(v * np.exp(rng.normal(0, 0.03))) for n, v in truth.items()} for _ in range(60)]
        lost = runs.filter((pl.col("family") == family) & (pl.col("status") != "done"))
        identified = enough and family != "googlenet"
        intervals = {n: [v * 0.93, v * 1.07] if identified else None for n, v in truth.items()}
        why = "not identifiable: the Hessian is singular along A and E" if enough else "too few cells: 2 sizes"
        for response in ("loss", "error"):
            fits.append(
                {
                    "family": family,
                    "kind": FAMILIES[family].kind,
                    "response": response,
                    "law": "chinchilla" if response == "loss" else "bounded",
                    "formula": "E + A / N^alpha + B / D^beta",
                    "reference": "Hoffmann et al. 2022, eq. 2",
                    "status": "too-few-cells" if not enough else ("converged" if identified else "not-identifiable"),
                    "reasons": {} if identified else dict.fromkeys(names, why),
                    "rows": len(own),
                    "excluded": [{"key": k, "why": s} for k, s in lost.select("key", "status").iter_rows()],
                    "parameters": truth if enough else {},
                    "objective": 0.001,
                    "standard_errors": {n: v * 0.035 for n, v in truth.items()} if identified else {},
                    "intervals": intervals if enough else {},
                    "residual_rms": 0.02 if enough else None,
                    "noise_rms": 0.018 if own["seed"].n_unique() > 1 else None,
                    "certificate": {"gradient": 1e-9, "decrement": 0.0, "starts": 100, "share": 0.9, "condition": 1e5},
                    "outliers": _outliers(own, response, truth if family == "mlp" else {}) if enough else None,
                    "checklist": [
                        {"item": "form", "part": "law", "question": "Which formula?", "answer": "E + A / N^alpha ..."},
                        {"item": "models", "part": "training", "question": "How many?", "answer": f"{len(own)} models"},
                    ],
                    "seconds": 0.1,
                    "draws": draws if enough else [],
                }
            )
            for origin in ("params", "images", "both"):
                held = own.filter(
                    (pl.col("params").eq_missing(own["params"].max()) if origin != "images" else pl.lit(True))
                    & (pl.col("images").eq_missing(own["images"].max()) if origin != "params" else pl.lit(True))
                )
                cells = [
                    {
                        "key": row["key"],
                        "params": row["params"],
                        "images": row["images"],
                        "seed": row["seed"],
                        "observed": row[response],
                        "predicted": row[response] * float(np.exp(rng.normal(0, 0.03))),
                        "persistence": row[response] * 1.2,
                    }
                    for row in held.iter_rows(named=True)
                ]
                holdout.append(
                    {
                        "family": family,
                        "response": response,
                        "origin": origin,
                        "cells": cells if enough else [],
                        "rmse_log": 0.031 if enough else None,
                        "persistence_rmse_log": 0.18 if enough else None,
                        "skill": 0.83 if enough else None,
                        "interval": [0.7, 0.9] if enough else None,
                        "reason": "" if enough else "too few cells: 2 sizes, 4 are needed",
                    }
                )
        if enough:
            E, A, alpha, B, beta = TRUTHS[family]
            flop = np.geomspace(own["flop"].min(), own["flop"].max(), 30)
            size = np.geomspace(own["params"].min(), own["params"].max(), 30)
            data = np.geomspace(own["images"].min(), own["images"].max(), 30)
            loss = E + A / size**alpha + B / data**beta
            frontier.append(
                {
                    "family": family,
                    "flop": flop.tolist(),
                    "loss": loss.tolist(),
                    "params": size.tolist(),
                    "images": data.tolist(),
                    "low": (loss * 0.97).tolist(),
                    "high": (loss * 1.03).tolist(),
                    "isoflop": _isoflop(beta / (alpha + beta), family),
                }
            )
        verdicts.append(
            {
                "family": family,
                "kind": FAMILIES[family].kind,
                "scales": enough,
                "skill": 0.83 if enough else None,
                "skill_interval": [0.7, 0.9] if enough else None,
                "misfit": 0.012 if enough else None,
                "misfit_interval": [0.0, 0.021] if enough else None,
                "misfit_verdict": "within margin" if enough else None,
                "order_params": 0.92 if enough else None,
                "order_images": 0.97 if enough else None,
                "sentence": f"{family} follows its law here." if enough else f"Cannot tell for {family}: too few cells.",
            }
        )
    pairs = [
        {
            "first": a,
            "second": b,
            "contrast": "skill",
            "difference": 0.02,
            "interval": [-0.05, 0.09],
            "p": 0.4,
            "p_holm": 1.0,
            "verdict": "cannot tell",
        }
        for i, a in enumerate(runs["family"].unique(maintain_order=True))
        for b in runs["family"].unique(maintain_order=True)[i + 1 :]
    ]
    summary = ["Convolutional families predict their larger cells best here; which of them, this grid cannot tell."]
    return {
        "fits": fits,
        "holdout": holdout,
        "frontier": frontier,
        "forms": [
            {
                "response": "loss",
                "law": "chinchilla",
                "rival": "powers",
                "formula": "L = A / N^alpha + B / D^beta",
                "families": {
                    family: {"rmse_log": 0.05, "law_rmse_log": 0.04, "reason": None}
                    for family in runs["family"].unique(maintain_order=True)
                },
                "ratio": 1.25,
                "interval": [0.9, 1.7],
                "sentence": "powers cannot be told apart: its error on held-out cells is 1.25 [0.90, 1.70] times.",
            }
        ],
        "verdicts": verdicts,
        "pairs": pairs,
        "summary": summary if len(done) else ["Nothing can be said yet: no cell has finished."],
    }


def _isoflop(exponent: float, family: str) -> dict:
    """Slices that agree with the law, but none for vit."""
    if family == "vit":
        reason = "2 isoFLOP slices of enough sizes; 3 are needed"
        return {"slices": [], "exponents": {}, "departure": {}, "reason": reason}
    known = {"value": exponent, "interval": [exponent - 0.05, exponent + 0.05]}
    other = {"value": 1 - exponent, "interval": [0.95 - exponent, 1.05 - exponent]}
    return {
        "slices": [{"flop": flop, "points": 4, "interpolated": True} for flop in (1e11, 2e11, 4e11)],
        "exponents": {
            "a": {"surface": known, "slices": known, "parabola": None},
            "b": {"surface": other, "slices": other, "parabola": None},
        },
        "departure": {"a": {"value": 0.0, "interval": [-0.04, 0.04]}, "b": {"value": 0.0, "interval": [-0.04, 0.04]}},
        "reason": None,
    }


def _outliers(own: pl.DataFrame, response: str, truth: dict) -> dict:
    """The second cell as an outlier where there is a ``truth``, and the law without it; else none."""
    rows = [
        {
            "row": row["key"],
            "N": float(row["params"]),
            "D": float(row["images"]),
            "observed": row[response],
            "predicted": row[response] * 0.8,
            "z": 5.3,
            "weight": 0.25,
        }
        for row in own[1:2].iter_rows(named=True)
        if truth
    ]
    return {
        "threshold": 4.0,
        "scale": 0.02,
        "rows": rows,
        "parameters": truth,
        "parameters_without": {name: value * 1.1 for name, value in truth.items()},
        "largest_change": 0.012 if truth else None,
        "reason": None,
    }


def curves_of(runs: pl.DataFrame) -> pl.DataFrame:
    """Four evaluations of every run, each lower than the one before."""
    rows = [(key, step, 1.0 / step, 1.1 / step) for key in runs["key"] for step in (1, 2, 3, 4)]
    return pl.DataFrame(rows, schema=CURVE_SCHEMA, orient="row")


def tuning_of(runs: pl.DataFrame) -> dict[str, dict]:
    """Tuning as one file per family; vgg's optimum lies at the edge and one of its candidates diverged."""
    tuning = {}
    for family in runs["family"].unique(maintain_order=True):
        anchors = []
        for width in (4.0, 16.0):
            best = 0.02 * (width / 4) ** -0.5
            rates = [best * 2.0**k for k in (-2, -1, 0, 1)]
            candidates = [
                {"rate": r, "validation_loss": 0.5 * (1 + 0.06 * np.log(r / best) ** 2), "status": "done"} for r in rates
            ]
            if family == "vgg":
                candidates[-1] |= {"validation_loss": None, "status": "diverged"}
            anchors.append(
                {
                    "target": int(300 * width**2),
                    "params": int(300 * width**2),
                    "width": width,
                    "images": 1000,
                    "candidates": candidates,
                    "best_rate": best,
                    "edge": family == "vgg",
                    "widened": family == "vgg",
                }
            )
        rule = {"reference": 4.0, "rate_at_reference": 0.02, "exponent": -0.5}
        tuning[family] = {
            "family": family,
            "rule": rule,
            "device": "cpu",
            "precision": "fp32",
            "checksum": "00",
            "anchors": anchors,
            "failure": "",
        }
    return tuning


def study_of(runs: pl.DataFrame, name="example") -> dict:
    """The resolved study as a plain dict."""
    return {
        "name": name,
        "description": "A synthetic study.",
        "data": {"source": "fashion-mnist", "side": None, "validation": 2000},
        "families": dict.fromkeys(runs["family"].unique(maintain_order=True)),
        "grid": {
            "params": sorted(runs["target_params"].unique()),
            "images": sorted(runs["images"].unique()),
            "seeds": sorted(runs["seed"].unique()),
        },
        "recipe": {"batch": 64, "images_factor": 16},
        "recipe_name": "modern",
    }


ENVIRONMENT = {
    "python": "3.11.9",
    "torch": "2.9.0",
    "timm": "1.0.20",
    "snakemake": "9.20.0",
    "machine": "a processor",
    "cores": 2,
    "commit": "0123abc",
}
