# A job ends well once each of its runs has ended, well or not: its table says which. The records of runs are in results/store, which
# is no rule's output, so that Snakemake never deletes anything that was computed.
rule train:
    input:
        data=rules.prepare.output.data,
        rates=lambda wildcards: str(dag.layout.tuning(dag.family(wildcards.pack))),
    output:
        table=str(dag.layout.pack("{pack}")),
    log:
        str(dag.layout.study / "logs" / "train-{pack}.log"),
    wildcard_constraints:
        pack="[a-z0-9-]+",
    priority: lambda wildcards: dag.costs[dag.family(wildcards.pack)]
    conda:
        "../../envs/scaling.yaml"
    threads: dag.study.jobs.at_a_time  # the driver's `--cores` caps them; on a cluster cpus_per_task asks
    resources:
        **dag.training_demand(),
    params:
        settings=lambda wildcards: dag.pack_hash(wildcards.pack),
    message:
        "Training {wildcards.pack}"
    shell:
        dag.command("train")
        + f" {{wildcards.pack}} --keep-going{slots}{dag.asked} 2>&1 | tee -i {{log:q}}"
