# Time and memory are measured alone: the rule takes every core that Snakemake was given, so that nothing runs beside it.
rule benchmarks:
    output:
        benchmarks=str(dag.layout.benchmarks),
    log:
        str(dag.layout.study / "logs" / "benchmarks.log"),
    priority: 2**20  # before any training, so that cores need not idle in the middle of it
    conda:
        "../../envs/scaling.yaml"
    threads: cores
    params:
        settings=dag.benchmarks_hash,
    message:
        "Timing and counting for {dag.study.name}, alone"
    shell:
        dag.command("benchmark") + " 2>&1 | tee -i {log:q}"
