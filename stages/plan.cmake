add_stage(cleave-plan FILES plan.c plan_costs.c plan_fit.c plan_table.c plan_facts.c plan_sources.c plan_found.c plan_rates.c plan_measure.c plan_model.c plan_train.c plan_codes.c plan_compare.c plan_families.c plan_report.c plan_pages.c
  USES stage_training stage_activations stage_codes)
