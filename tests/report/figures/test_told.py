import polars as pl

from scaling.report.figures.told import tell


def test_a_text_names_the_family_first_then_the_cell_then_what_is_shown():
    table = pl.DataFrame({"family": ["mlp", "vit"], "params": [14_000, None], "seed": [0, 2], "loss": [0.51234, 0.4]})
    told = tell(table, loss="test loss")["told"].to_list()
    assert told == ["mlp\nN = 14k, seed 0\ntest loss 0.512", "vit\nseed 2\ntest loss 0.400"]


def test_what_is_not_known_leaves_no_empty_line():
    assert tell(pl.DataFrame({"family": ["mlp"]}))["told"].to_list() == ["mlp"]
    assert tell(pl.DataFrame({"family": []}, schema={"family": pl.String}))["told"].to_list() == []
