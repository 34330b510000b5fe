from scaling.study.layout import RESULTS
from scaling.jobs.patient_sbatch import be_patient
from scaling.jobs.slurm import (
    asked_of_slurm,
    check_gpus,
    check_slurm,
    leave_mark,
    refuse_arrays,
)

# How many runs a job trains at a time: on this machine, the threads that Snakemake gives the rule; on a cluster, the CPUs of the job.
# (In a job of a cluster, Snakemake limits `threads` to the cores of the machine that sent it.)
cores = workflow.resource_settings.cores or 1  # none are given with --unlock
slots = f" --cores {{threads}} --machine-cores {cores}"
if workflow.remote_exec:
    slots = ""


# Runs in the driver alone, before its first job.
onstart:
    if workflow.executor_plugin.name == "slurm":
        jobs = list(workflow.dag.needrun_jobs())
        try:
            refuse_arrays(workflow.executor_settings.array_jobs)
            check_gpus(jobs, dag.study.jobs.gpus_per_run)
            check_slurm(
                asked_of_slurm(jobs, "slurm_partition"),
                asked_of_slurm(jobs, "slurm_account"),
            )
            leave_mark(RESULTS)
            be_patient(RESULTS)
        except ValueError as error:
            raise WorkflowError(str(error))
