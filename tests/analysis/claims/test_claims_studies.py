"""The studies of the claims hold what the claims look for, and share the default study's runs."""

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaling.analysis.claims.claim_files import claims_tested
from scaling.analysis.claims.evidence import UNTRAINED, Evidence
from scaling.analysis.claims.judge import judge_claims
from scaling.analysis.claims.load_claims import load_claims
from scaling.files import digest
from scaling.models.registry import FAMILIES
from scaling.runs.grid import cells, packs
from scaling.runs.job_hashes import pack_hash, tuning_hash
from scaling.runs.records import SCHEMA
from scaling.study.schema import Study
from scaling.study.study_file import parse, read_tree

ROOT = Path(__file__).parents[3]


def read(path: str) -> Study:
    study, problems = parse(read_tree(ROOT / path))
    assert problems == []
    return study


def finished(study: Study) -> pl.DataFrame:
    """A runs table as if every cell of ``study`` had ended, without any effect."""
    rng = np.random.default_rng(0)
    rows = []
    for arm in study.families:
        for cell in cells(study, arm):
            loss = 0.5 * math.exp(rng.normal(0, 0.02))
            row = dict.fromkeys(SCHEMA) | {"key": f"{arm}-{len(rows)}", "family": arm, "status": "done", "seed": cell.seed}
            row |= {"params": cell.target, "target_params": cell.target, "images": cell.images, "kind": study.kind(arm)}
            rows.append(row | {"loss": loss, "train_loss": 0.6 * loss, "error": 0.3 * loss, "flop": 1e9})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.parametrize("path", ["studies/claims.yaml", "studies/claims-quick.yaml"])
def test_no_claim_lacks_an_entry(path):
    study = read(path)
    entries = judge_claims(load_claims(claims_tested(study.claims)), Evidence(finished(study), 10))
    lacking = {
        f"{claim['name']}/{part['name']}: {part['note']}"
        for claim in entries
        for part in claim["parts"]
        if "has no entry" in part["note"] or "no finished run" in part["note"] or UNTRAINED in part["note"]
    }
    assert lacking == set()


def test_the_families_are_those_of_the_default_study_and_share_its_runs():
    default, study = read("config.yaml"), read("studies/claims.yaml")
    assert study.with_laws() == list(default.families)
    assert set(study.with_laws()) <= set(FAMILIES)
    for family in default.families:
        assert tuning_hash(study, family) == tuning_hash(default, family)
        mine, theirs = packs(study)[family], packs(default)[family]
        assert pack_hash(study, mine) == pack_hash(default, theirs)


def test_the_quick_study_has_one_seed():
    study = read("studies/claims-quick.yaml")
    assert {cell.seed for arm in study.families for cell in cells(study, arm)} == {0}


def test_entries_of_the_primary_claims_have_six_seeds():
    study = read("studies/claims.yaml")
    entries = judge_claims(
        [claim for claim in load_claims(claims_tested(study.claims)) if claim.primary], Evidence(finished(study), 10)
    )
    arms = {key.rsplit("-", 1)[0] for claim in entries for part in claim["parts"] if part["decides"] for key in part["keys"]}
    few = {arm for arm in arms - set(study.with_laws()) if len({cell.seed for cell in cells(study, arm)}) < 6}
    assert few == set()


def test_no_two_entries_ask_for_the_same_runs():
    study = read("studies/claims.yaml")
    asked = [entry.model_dump_json() for entry in study.families.values() if entry.model]
    assert len(set(asked)) == len(asked) > 50


def what_decides(study: Study, arm: str) -> set[str]:
    """All that an entry's keys are made of before any rate is tuned, for each of its runs."""
    recipe, pretrain = study.family_recipe(arm), study.entry(arm).pretrain
    settings = [str(study.architecture(arm)), recipe.settings(), recipe.learning_rate, pretrain and pretrain.model_dump()]
    return {digest([*settings, cell.target, cell.images, cell.seed]) for cell in cells(study, arm)}


def test_entries_that_a_part_compares_share_no_run():
    """Two entries with the same settings would agree to the last digit and say nothing."""
    study = read("studies/claims.yaml")
    decided = {arm: what_decides(study, arm) for arm in study.families}
    compared = set()
    for claim in judge_claims(load_claims(claims_tested(study.claims)), Evidence(finished(study), 10)):
        for part in claim["parts"]:
            arms = sorted({key.rsplit("-", 1)[0] for key in part["keys"]})
            compared |= set(combinations(arms, 2))
    assert ("resnet-11k", "resnet-dropout") in compared
    assert [pair for pair in sorted(compared) if decided[pair[0]] & decided[pair[1]]] == []


def test_entries_of_a_claim_that_agreed_by_chance_differ_in_their_settings():
    study = read("studies/claims.yaml")
    bare, dropout = (study.family_recipe(arm).settings() for arm in ("resnet-bare", "resnet-dropout"))
    assert (bare["dropout"], dropout["dropout"]) == (0, 0.5)
    assert str(study.architecture("resnet-bare")) == "resnet norm=none"
    assert str(study.architecture("resnet-dropout")) == "resnet"
