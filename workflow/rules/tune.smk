# Learning rates are tuned at anchors that belong to the recipe: a new size or data size never changes them.
rule tune:
    input:
        data=rules.prepare.output.data,
    output:
        rates=str(dag.layout.tuning("{family}")),
    log:
        str(dag.layout.study / "logs" / "tune-{family}.log"),
    wildcard_constraints:
        family="[a-z0-9-]+",
    priority: lambda wildcards: dag.costs[wildcards.family]
    conda:
        "../../envs/scaling.yaml"
    threads: dag.study.jobs.at_a_time  # the driver's `--cores` caps them; on a cluster cpus_per_task asks
    resources:
        **dag.tuning_demand(),
    params:
        settings=lambda wildcards: dag.tuning_hash(wildcards.family),
    message:
        "Tuning the learning rate of {wildcards.family}"
    shell:
        dag.command("tune")
        + f" {{wildcards.family}} --keep-going{slots}{dag.asked} 2>&1 | tee -i {{log:q}}"
