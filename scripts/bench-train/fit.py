"""Fits ALS once through PySpark, as fit.go does through Go, and prints the seconds that the fit took."""
import sys
import time

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

remote, path, rank, iterations, blocks = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
spark = SparkSession.builder.remote(remote).getOrCreate()
ratings = spark.read.parquet(path)
als = ALS(rank=rank, maxIter=iterations, regParam=0.1, alpha=1.0, implicitPrefs=True, seed=1, numUserBlocks=blocks, numItemBlocks=blocks,
          userCol="visitor", itemCol="item", ratingCol="strength")
begun = time.perf_counter()
model = als.fit(ratings)
print(time.perf_counter() - begun)
spark.stop()
