# Times and memory are measured alone: the rule takes every core that Snakemake was given, so that nothing runs beside it.
rule measure:
    output:
        measures=str(dag.layout.measures),
    log:
        str(dag.layout.study / "logs" / "measure.log"),
    priority: 2**20  # before any training, rather than hold up cores in the midst of it
    conda:
        "../../envs/scaling.yaml"
    threads: cores
    params:
        settings=dag.timings_hash,
    message:
        "Timing and counting for {dag.study.name}, alone"
    shell:
        dag.command("measure") + " 2>&1 | tee -i {log:q}"
