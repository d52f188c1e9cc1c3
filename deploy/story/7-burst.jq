# A worker dies
# Six scenes, forty batches each, every batch adds one element. Half-way one of the two workers is
# killed with SIGKILL. Six seconds of silence later its partitions go to the other one. Each scene
# must end with forty elements at version 40: no batch lost, none applied twice.
range(1; 41) as $step
| range(1; 7) as $crowd
| {
    session_id: "crowd-\($crowd)",
    batch_id: "crowd-\($crowd)-\($step)",
    client_id: "client-\($crowd)",
    operations: [{
      op: "add",
      timestamp: (1750000000000 + $step),
      element: {
        id: "person-\($step)",
        kind: {type: "shape", data: {color: "grey"}},
        transform: {x: ($step * 10), y: ($crowd * 10)}
      }
    }]
  }
