#include <math.h>
#include <unistd.h>

#include "bundle.h"
#include "memory.h"
#include "plan.h"

/* Of a folder that is not there nothing is known; import will say so. */
static Status read_source(const char *path, PlanSource *source) {
  Bundle *bundle = NULL;
  if (access(path, R_OK) != 0) {
    return OK;
  }
  TRY(bundle_open(&bundle, path));
  source->l0 = isnan(bundle->stated_l0) ? 0.0 : bundle->stated_l0;
  source->is_topk = bundle->architecture == BUNDLE_TOPK;
  bundle_close(&bundle);
  return OK;
}

static Status read_all(Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  TRY(MEMORY_NEW(&plan->sources, settings->count, "sources of dictionaries"));
  for (int64_t i = 0; i < settings->count; ++i) {
    if (!settings_is_trained(settings, i)) {
      TRY(read_source(settings->dictionaries[i].source, &plan->sources[i]));
    }
  }
  return OK;
}

Status plan_sources_read(Plan *plan) {
  return team_agree(&plan->stage->team, read_all(plan));
}
