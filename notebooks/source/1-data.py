# %% [markdown] lang="en"
# # 1. Data
#
# A network learns from examples. This notebook takes the examples apart: one item, a batch, an epoch, and why there are three sets of them. Everything runs in seconds on a laptop, and MNIST needs no network.

# %% [markdown] lang="ja"
# # 1. データ
#
# ネットワークは例から学びます。このノートでは例を分解して見ます: 1 つの例、バッチ、エポック、そしてなぜデータが 3 つに分かれるのか。どれもノート PC で数秒で動き、MNIST にネットワーク接続は要りません。

# %% tags=["install"]
# %pip install -q "honshi @ git+https://github.com/honshi-dev/honshi" "torch>=2.6"

# %%
import matplotlib.pyplot as plt
import torch
from torch.utils.data import DataLoader, Dataset

import honshi

# %% [markdown] lang="en"
# ## Three sets
#
# `honshi.load` gives training, validation and test images. The model learns from the first, every decision is made on the second (the mock exam), and the third stays **sealed**: it is the real exam, sat once, at the end.

# %% [markdown] lang="ja"
# ## 3 つのデータ
#
# `honshi.load` は訓練・検証・テストの画像を返します。モデルは訓練データから学び、判断はすべて検証データ (模試) で行い、テストデータは**封印**されたままです。それが本試で、最後に一度だけ受けます。

# %%
splits = honshi.load("mnist", val=0.1, seed=0)
splits

# %% [markdown] lang="en"
# What happens if we look at the test set? Nothing: it says why not.

# %% [markdown] lang="ja"
# テストデータを見ようとするとどうなるでしょうか。見られず、理由が示されます。

# %%
try:
    splits.test[0]
except TypeError as error:
    print(error)

# %% [markdown] lang="en"
# ## A Dataset of your own
#
# A PyTorch `Dataset` answers two questions: how many (`__len__`), and which is the i-th (`__getitem__`). Here is one that makes a float between -1 and 1 of each byte, as `ToTensor` and `Normalize((0.5,), (0.5,))` do.

# %% [markdown] lang="ja"
# ## 自分の Dataset
#
# PyTorch の `Dataset` は 2 つの問いに答えます: いくつあるか (`__len__`)、i 番目は何か (`__getitem__`)。次のものは、`ToTensor` と `Normalize((0.5,), (0.5,))` のように、各バイトを -1 から 1 の数にします。


# %%
class Digits(Dataset):
    def __init__(self, images):
        self.pixels, self.labels = images.pixels, images.labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.pixels[index].float() / 255  # 0 to 1
        return (image - 0.5) / 0.5, int(self.labels[index])


digits = Digits(splits.train)
image, label = digits[0]
print(len(digits), image.shape, image.min().item(), image.max().item(), label)

# %% [markdown] lang="en"
# ## Batches, iterations, epochs
#
# A `DataLoader` shuffles the examples and hands them out in **mini-batches**. One step of learning is one **iteration**; when all examples have been seen once, an **epoch** is over.

# %% [markdown] lang="ja"
# ## バッチ、イテレーション、エポック
#
# `DataLoader` は例をシャッフルし、**ミニバッチ**に分けて渡します。学習の 1 ステップが 1 **イテレーション**で、すべての例を一度ずつ見ると 1 **エポック**です。

# %%
loader = DataLoader(digits, batch_size=64, shuffle=True)
images, labels = next(iter(loader))
print("a batch:", images.shape, labels.shape)
print("iterations in an epoch:", len(loader), "=", len(digits), "/ 64, rounded up")

# %% [markdown] lang="en"
# ## A mini-batch's gradient is a noisy estimate
#
# Why may we learn from 64 images when there are 54,000? Because their gradient is, on average, that of all: an **unbiased** estimate. It is noisy, and the noise falls with the square root of the batch size. We measure it: gradients of many batches of 4, 16, 64 and 256 images, and how far each is from the gradient of 4,096.

# %% [markdown] lang="ja"
# ## ミニバッチの勾配はノイズを含む推定値
#
# 54,000 枚あるのに、なぜ 64 枚から学んでよいのでしょうか。その勾配は平均すると全体の勾配と同じ、つまり**不偏**な推定値だからです。ノイズはありますが、バッチサイズの平方根に反比例して小さくなります。測ってみます: 4、16、64、256 枚のバッチの勾配が、4,096 枚の勾配からどれだけ離れるか。

# %%
torch.manual_seed(0)
model = honshi.models.MLP()
x = splits.train.normalization(splits.train.pixels[:4096])
y = splits.train.labels[:4096]


def gradient(places):
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(x[places]), y[places]).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


whole = gradient(torch.arange(4096)).clone()
sizes = [4, 16, 64, 256]
distances, means = [], []
for size in sizes:
    found = torch.stack([gradient(torch.randperm(4096)[:size]).clone() for _ in range(60)])
    distances.append(((found - whole).norm(dim=1).mean() / whole.norm()).item())
    means.append(((found.mean(0) - whole).norm() / whole.norm()).item())
for size, distance, mean in zip(sizes, distances, means):
    print(f"batch {size:>3}: one gradient is {distance:5.1%} away, the mean of 60 only {mean:5.1%}")

plt.loglog(sizes, distances, "o-", label="measured")
plt.loglog(sizes, [distances[0] * (sizes[0] / size) ** 0.5 for size in sizes], ":", label="1 / square root")
plt.xlabel("batch size")
plt.ylabel("distance from the gradient of all")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# Four times the images, half the noise. So large batches are calm and few steps an epoch, small ones noisy and many. Next: [the four parts and the loop](2-loop.ipynb).

# %% [markdown] lang="ja"
# 枚数が 4 倍になるとノイズは半分です。大きいバッチは穏やかで 1 エポックのステップが少なく、小さいバッチはノイズが多くステップも多くなります。次は [4 つの部品とループ](2-loop.ipynb) です。
