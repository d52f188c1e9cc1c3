#include "tests/faults/fault_point_name.h"

const char *fault_point_name(enum fault_point point)
{
    switch (point) {
    case FAULT_ASSIGNED:
        return "assigned";
    case FAULT_AFTER_DECODE:
        return "after_decode";
    case FAULT_AFTER_LOAD:
        return "after_load";
    case FAULT_BEFORE_COMMIT:
        return "before_commit";
    case FAULT_COMMIT_SENT:
        return "commit_sent";
    case FAULT_COMMIT_REPLIED:
        return "commit_replied";
    case FAULT_AFTER_COMMIT:
        return "after_commit";
    case FAULT_AFTER_PUBLISH:
        return "after_publish";
    case FAULT_AFTER_ACKNOWLEDGEMENT:
        return "after_acknowledgement";
    case FAULT_AFTER_WATERMARK:
        return "after_watermark";
    case FAULT_BEFORE_OFFSET_COMMIT:
        return "before_offset_commit";
    case FAULT_AFTER_OFFSET_COMMIT:
        return "after_offset_commit";
    case FAULT_POINT_COUNT:
        break;
    }
    return "?";
}
