"""Ask the service, in this process, three times at once."""

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient
from service import app

with TestClient(app) as client, ThreadPoolExecutor() as pool:
    asked = [[0.001, 0.1], [0.1, 10.0], [10.0]]
    for answer in pool.map(lambda it: client.post("/best", json=it).json(), asked):
        print(answer["strength"], round(answer["best"], 3))
