/** The fault points by name, as TEST_FAULT and the soak's log write them. Thread-safe. */
#ifndef SCENESYNC_TESTS_FAULT_POINT_NAME_H
#define SCENESYNC_TESTS_FAULT_POINT_NAME_H

#include "store/fault_point.h"

/** Returns a static text ("after_commit"), "?" for no point. */
const char *fault_point_name(enum fault_point point);

#endif
