rule report:
    input:
        runs=rules.collect.output.runs,
        fits=rules.fit.output.fits,
        rates=[str(dag.layout.tuning(family)) for family in dag.study.families],
    output:
        page=str(dag.layout.report),
    log:
        str(dag.layout.study / "logs" / "report.log"),
    params:
        description=dag.study.description,
    message:
        "Writing the report of {dag.study.name}"
    conda:
        "../../envs/scaling.yaml"
    shell:
        "{PYTHON} -m scaling report {STUDY:q} 2>&1 | tee {log:q}"


# What is made when nothing is named. It has no output, so it looks at every call: where cells have no result it removes
# the tables of their packs, names them and fails, so that the next call trains just those.
rule complete:
    input:
        page=rules.report.output.page,
    default_target: True
    log:
        str(dag.layout.study / "logs" / "complete.log"),
    message:
        "Looking for cells without a result"
    conda:
        "../../envs/scaling.yaml"
    shell:
        "{PYTHON} -m scaling complete {STUDY:q} 2>&1 | tee {log:q}"
